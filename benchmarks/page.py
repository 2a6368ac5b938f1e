"""The page that needs no server: bytes over the wire, first load to first answer, time a photo.

    python benchmarks/page.py RECOGNIZER [PHOTO …] [--weights FORM …] [--rounds N] [--json OUT]

For each form of the weights the recognizer is shipped as a page into a temporary folder, served on
this machine and opened in headless Chromium with an empty profile. Without photos the
public-domain portraits are taken. Told are:

- bytes over the wire, as they are, with gzip and with brotli (level 9 each), of everything that
  the first visit loads;
- seconds from the address being opened to the answer to the first photo, on the first visit and
  on the second (from the browser's own store), with several threads and with one (a host that
  sends no headers);
- seconds of one more photo, the median over rounds and photos, from its bytes to its names;
  the decoding of the photo is in it. The library's time for the same photos is beside it.

The network of this machine costs nothing: add the bytes over your visitors' line.
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


def wire(shipped: DeployedPage) -> dict[str, int]:
    """Return the bytes of all that a first visit loads, in three forms."""
    sums = {"plain": 0, "gzip": 0, "brotli": 0}
    for path in shipped.files:
        if path in NOT_LOADED:
            continue
        data = (shipped.folder / path).read_bytes()
        sums["plain"] += len(data)
        sums["gzip"] += min(len(data), len(zlib.compress(data, 9)))
        sums["brotli"] += min(len(data), len(brotli.compress(data, quality=9)))
    return sums


def visits(folder: Path, photos: list[bytes], rounds: int, headers: str | None) -> dict[str, Any]:
    """Return how long a first and a second visit take, and a photo."""
    with visiting() as visit, serving(folder, headers) as site:
        told: dict[str, Any] = {}
        for turn in ("first", "second"):
            begun = time.perf_counter()
            visit.open(site.address)
            loaded = time.perf_counter() - begun
            visit.identify(photos[0])
            told[turn] = {"loaded": loaded, "answered": time.perf_counter() - begun}
            if turn == "first":
                told["threads"] = visit.page.evaluate("mien.engine.threads")
                times = [
                    visit.identify(photo)["milliseconds"] / 1000
                    for _ in range(rounds)
                    for photo in photos
                ]
                told["photo"] = statistics.median(times)
            visit.wait_until_offline()
    return told


def library(recognizer: Recognizer, photos: list[bytes], rounds: int) -> float:
    """Return the library's median seconds a photo, from its bytes to its names."""
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
    """Return all that is told of one form of the weights."""
    recognizer = original if original.form == form else original.stored_as(form)
    with tempfile.TemporaryDirectory(prefix="mien-page-") as scratch:
        shipped = deploy_page(recognizer, Path(scratch) / "page")
        row: dict[str, Any] = {
            "weights": form,
            "recognizer": recognizer.size,
            "files": len(shipped.files),
            "largest": max(shipped.files.values()),
            "wire": wire(shipped),
        }
        for name, headers in (("threads", "_headers"), ("one thread", None)):
            row[name] = visits(shipped.folder, photos, rounds, headers)
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
        "\n| weights | threads | first visit to first answer | second visit | a photo | library |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows:
        for name in ("threads", "one thread"):
            told = row[name]
            seconds = [told[turn]["answered"] for turn in ("first", "second")]
            print(
                f"| {row['weights']} | {told['threads']} | "
                + " | ".join(f"{value:.1f} s" for value in seconds)
                + f" | {told['photo'] * 1000:.0f} ms | {row['library'] * 1000:.0f} ms |"
            )


def portraits() -> list[Path]:
    """Return the public-domain portraits."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from portraits import fetch  # noqa: PLC0415 — a script beside this folder

    return fetch(ROOT / "demo" / "portraits")


def main() -> None:
    """Measure and print."""
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
        told = {"mien": __version__, "cores": os.cpu_count(), "photos": len(photos), "rows": rows}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
