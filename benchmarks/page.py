"""The static page: bytes over the network, time to the first answer, time per photo.

    python benchmarks/page.py RECOGNIZER [PHOTO …] [--weights FORM …] [--rounds N] [--json OUT]

For each storage form of the weights the recognizer is deployed as a page into a temporary folder,
served on this machine and opened in headless Chromium with an empty profile. Without photos the
public-domain portraits are used. Reported are:

- bytes of everything that the first visit loads: uncompressed, with gzip and with brotli (level 9);
- seconds from opening the address to the answer for the first photo, on the first visit and on the
  second (from the browser's cache), with several threads and with one (a host that sends no
  headers);
- seconds per further photo, from its bytes to its names, the median over rounds and photos; the
  library's time for the same photos is beside it.

The loopback network takes no time: add the time that the bytes take on your visitors' connection.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import brotli  # pip install brotli

from mien import __version__
from mien.deploy.check.browser import visiting
from mien.deploy.check.static_site import serving
from mien.deploy.static_page import DeployedPage, deploy_page
from mien.photo import decode_photo
from mien.recognizer import Recognizer

ROOT = Path(__file__).resolve().parent.parent
FORMS = ("int8", "float16", "float32")
NOT_LOADED = {"_headers", "README.md"}


def wire(deployed: DeployedPage) -> dict[str, int]:
    """Return the bytes that a first visit loads: uncompressed, with gzip, with brotli."""
    sums = {"plain": 0, "gzip": 0, "brotli": 0}
    for path in deployed.files:
        if path in NOT_LOADED:
            continue
        data = (deployed.folder / path).read_bytes()
        sums["plain"] += len(data)
        sums["gzip"] += min(len(data), len(zlib.compress(data, 9)))
        sums["brotli"] += min(len(data), len(brotli.compress(data, quality=9)))
    return sums


def visits(folder: Path, photos: list[bytes], rounds: int, headers: str | None) -> dict[str, Any]:
    """Return the seconds of a first and a second visit, and per photo."""
    with visiting() as visit, serving(folder, headers) as site:
        result: dict[str, Any] = {}
        for turn in ("first", "second"):
            begun = time.perf_counter()
            visit.open(site.address)
            loaded = time.perf_counter() - begun
            visit.identify(photos[0])
            result[turn] = {"loaded": loaded, "answered": time.perf_counter() - begun}
            if turn == "first":
                result["threads"] = visit.page.evaluate("mien.engine.threads")
                times = [
                    visit.identify(photo)["milliseconds"] / 1000
                    for _ in range(rounds)
                    for photo in photos
                ]
                result["photo"] = statistics.median(times)
            visit.wait_until_offline()
    return result


def library(recognizer: Recognizer, photos: list[bytes], rounds: int) -> float:
    """Return the library's median seconds per photo, from its bytes to its names."""
    times = []
    for _ in range(rounds + 1):
        for photo in photos:
            begun = time.perf_counter()
            recognizer.identify(
                decode_photo(photo, name="photo", long_side=recognizer.max_long_side)
            )
            times.append(time.perf_counter() - begun)
    return statistics.median(times[len(photos) :])


def measure(original: Recognizer, form: Any, photos: list[bytes], rounds: int) -> dict[str, Any]:
    """Return the results for one storage form of the weights."""
    recognizer = original if original.form == form else original.stored_as(form)
    with tempfile.TemporaryDirectory(prefix="mien-page-") as scratch:
        deployed = deploy_page(recognizer, Path(scratch) / "page")
        row: dict[str, Any] = {
            "weights": form,
            "recognizer": recognizer.size,
            "files": len(deployed.files),
            "largest": max(deployed.files.values()),
            "wire": wire(deployed),
        }
        for name, headers in (("threads", "_headers"), ("one thread", None)):
            row[name] = visits(deployed.folder, photos, rounds, headers)
        row["library"] = library(recognizer, photos, rounds)
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Print the two tables."""
    print("| weights | recognizer | all files | gzip | brotli | largest file |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        sizes = [row["recognizer"], *row["wire"].values(), row["largest"]]
        print(f"| {row['weights']} | " + " | ".join(f"{size / 1e6:.1f} MB" for size in sizes), "|")
    print(
        "\n| weights | threads | first visit to first answer | second visit | per photo | library |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows:
        for name in ("threads", "one thread"):
            visit = row[name]
            seconds = [visit[turn]["answered"] for turn in ("first", "second")]
            print(
                f"| {row['weights']} | {visit['threads']} | "
                + " | ".join(f"{value:.1f} s" for value in seconds)
                + f" | {visit['photo'] * 1000:.0f} ms | {row['library'] * 1000:.0f} ms |"
            )


def portraits() -> list[Path]:
    """Return the public-domain portraits."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from portraits import fetch  # noqa: PLC0415 — in scripts/

    return fetch(ROOT / "demo" / "portraits")


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recognizer", type=Path)
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument("--weights", choices=FORMS, nargs="+", default=list(FORMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    photos = [path.read_bytes() for path in arguments.photos or portraits()]
    original = Recognizer.load(arguments.recognizer)
    rows = [measure(original, form, photos, arguments.rounds) for form in arguments.weights]
    show(rows)
    if arguments.json:
        result = {"mien": __version__, "cores": os.cpu_count(), "photos": len(photos), "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
