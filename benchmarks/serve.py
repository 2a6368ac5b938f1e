"""`mien serve` under load, compared with bulk identification of the same photos.

    MIEN_DATA=FOLDER python benchmarks/serve.py [--recognizer FILE] [--seconds S] [--json OUT]

A real server on the loopback interface serves a recognizer of the ten people (trained first if none
is given). Clients in this process, on the same machine, send it their photos, one per request.
Reported per load are:

- latency at the median and the 99th percentile, faces per second, the count of each status; a 503
  must state when to retry, and the clients wait for that time;
- the server's memory over time: the mean of the first third, of the last, and of each tenth;
- faces per second relative to bulk identification, which runs right before and right after; and the
  same per CPU second of each process, which does not depend on other load or on the clients.

`steady` has 8 clients. `crowd` has 32, of which the queue holds 16; the others get 503. `rude` has
32 that retry at once. Without MIEN_DATA's archive the public-domain portraits are used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from portraits import PORTRAITS, fetch

from measuring_photos import data_folder, ten_people_photos
from mien.errors import PhotoError
from mien.photo import decode_photo
from peers.machine import described
from serving.bulk import Bulk
from serving.client import Connection, file_part, form, request
from serving.process import Served, mien

WAITING = 16
"""Photos that may wait: fewer than the clients of `crowd`, so that some get 503."""

PATH = "/v1/identify?handle=measured"
SAMPLE_SECONDS = 0.25
RUDE_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of load.

    Attributes:
        name: for the table.
        clients: number of concurrent clients.
        polite: whether clients wait for the Retry-After of a 503.
    """

    name: str
    clients: int
    polite: bool = True


LOADS = (Load("steady", 8), Load("crowd", 32), Load("rude", 32, polite=False))


@dataclass(slots=True)
class Seen:
    """Responses to the clients of one load."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    photos: int = 0
    faces: int = 0
    no_retry_after: int = 0
    cpu: float = 0.0
    rss: list[int] = field(default_factory=list)


def photos_into(folder: Path) -> list[bytes]:
    """Write the readable photos into `folder`, for bulk identification, and return them."""
    found: list[bytes] = []
    if (data_folder() / "ten-indian-people.zip").exists():
        named = list(ten_people_photos())
    else:
        named = [(path.name, path.read_bytes()) for path in fetch(folder.parent / "portraits")]
    for number, (name, data) in enumerate(named):
        try:
            decode_photo(data, name=name)
        except PhotoError:
            continue
        (folder / f"{number:03}{Path(name).suffix.lower()}").write_bytes(data)
        found.append(data)
    return found


def trained(work: Path) -> Path:
    """Return a recognizer of the people in the photos."""
    archive = data_folder() / "ten-indian-people.zip"
    if not archive.exists():
        archive = work / "people"
        for path in (work / "portraits").iterdir():
            if path.name in PORTRAITS:
                person = archive / ("Joe Biden" if "biden" in path.name else "Barack Obama")
                person.mkdir(parents=True, exist_ok=True)
                (person / path.name).write_bytes(path.read_bytes())
    mien("dataset", "build", str(archive), "-o", str(work / "dataset"))
    mien("train", str(work / "dataset"), "--head", "prototype", "-o", str(work / "measured.onnx"))
    return work / "measured.onnx"


async def one_client(
    server: Served, load: Load, messages: Sequence[bytes], start: int, until: float, seen: Seen
) -> None:
    """Send requests until the time is over."""
    connection = Connection(server.host, server.port)
    turn = start
    while time.perf_counter() < until:
        begun = time.perf_counter()
        answer = await connection.ask(messages[turn % len(messages)])
        seen.statuses[str(answer.status)] += 1
        if answer.status == 200:
            seen.times.append(time.perf_counter() - begun)
            # Requests in flight when the time is over do not count.
            if time.perf_counter() < until:
                seen.photos += 1
                seen.faces += sum(len(row["faces"]) for row in answer.json["results"])
            turn += load.clients
        elif answer.status == 503:
            wait = answer.headers.get("retry-after", "")
            seen.no_retry_after += not wait.isdecimal()
            pause = float(wait) if load.polite and wait.isdecimal() else RUDE_PAUSE
            await asyncio.sleep(min(pause, max(0.0, until - time.perf_counter())))
    connection.close()


async def loaded(server: Served, load: Load, messages: Sequence[bytes], seconds: float) -> Seen:
    """Run clients for some seconds and return their responses."""
    seen = Seen()
    until = time.perf_counter() + seconds

    async def watch() -> None:
        before = server.cpu
        while time.perf_counter() < until:
            seen.rss.append(server.rss)
            await asyncio.sleep(SAMPLE_SECONDS)
        seen.cpu = server.cpu - before

    clients = [
        one_client(server, load, messages, start, until, seen) for start in range(load.clients)
    ]
    await asyncio.gather(watch(), *clients)
    return seen


def row_of(
    load: Load, seen: Seen, seconds: float, bulk: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the results of a load."""
    third = max(1, len(seen.rss) // 3)
    first, last = np.mean(seen.rss[:third]), np.mean(seen.rss[-third:])
    bulk_faces = sum(run["faces"] for run in bulk) / sum(run["seconds"] for run in bulk)
    p50, p99 = np.percentile(seen.times, (50, 99)) * 1e3 if seen.times else (np.nan, np.nan)
    bulk_cpu = sum(run["faces"] for run in bulk) / sum(run["cpu"] for run in bulk)
    faces = seen.faces / seconds
    return {
        "load": load.name,
        "clients": load.clients,
        "answered": len(seen.times),
        "statuses": dict(sorted(seen.statuses.items())),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "photos_per_s": seen.photos / seconds,
        "faces_per_s": faces,
        "bulk_faces_per_s": bulk_faces,
        "over_bulk": faces / bulk_faces,
        "over_bulk_cpu": seen.faces / max(seen.cpu, 0.01) / bulk_cpu,
        "rss_first_mib": float(first) / 2**20,
        "rss_last_mib": float(last) / 2**20,
        "rss_tenths_mib": [float(part.mean()) / 2**20 for part in np.array_split(seen.rss, 10)],
        "no_retry_after": seen.no_retry_after,
    }


def measure(recognizer: Path | None, seconds: float, work: Path) -> dict[str, Any]:
    """Return all results."""
    folder = work / "photos"
    folder.mkdir()
    photos = photos_into(folder)
    recognizer = recognizer or trained(work)
    rows: list[dict[str, Any]] = []
    serving = Served([f"measured={recognizer}", "--waiting", str(WAITING)], work / "served")
    with Bulk(recognizer, folder) as bulk, serving as server:
        messages = []
        for number, data in enumerate(photos):
            kind, body = form([file_part(data, name=f"{number}.jpg")])
            messages.append(request(PATH, body, kind, host=server.host))
        # Warm-up.
        asyncio.run(loaded(server, LOADS[0], messages, max(seconds / 2, 1)))
        bulk.run(1)
        before = bulk.run(seconds / 4)
        for load in LOADS:
            seen = asyncio.run(loaded(server, load, messages, seconds))
            after = bulk.run(seconds / 4)
            rows.append(row_of(load, seen, seconds, [before, after]))
            before = after
        lives = server.lives
    return {
        "machine": described(),
        "photos": len(photos),
        "seconds": seconds,
        "waiting": WAITING,
        "loads": rows,
        "lives": lives,
        "problems": problems(rows, lives=lives),
    }


def problems(rows: Sequence[dict[str, Any]], *, lives: bool) -> list[str]:
    """Return failures that do not depend on the machine."""
    found = [] if lives else ["the server died"]
    for row in rows:
        odd = {status: n for status, n in row["statuses"].items() if status not in {"200", "503"}}
        if odd:
            found.append(f"{row['load']}: answers {odd}")
        if row["no_retry_after"]:
            found.append(f"{row['load']}: {row['no_retry_after']} times 503 without Retry-After")
        if not row["answered"]:
            found.append(f"{row['load']}: no request was answered")
    return found


def show(result: dict[str, Any]) -> None:
    """Print the results."""
    print("| load | clients | p50 ms | p99 ms | faces/s | bulk faces/s | over bulk ", end="")
    print("| per core second | MiB, first third | last | statuses |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for row in result["loads"]:
        statuses = ", ".join(f"{status}: {n}" for status, n in row["statuses"].items())
        print(
            f"| {row['load']} | {row['clients']} | {row['p50_ms']:.0f} | {row['p99_ms']:.0f} "
            f"| {row['faces_per_s']:.1f} | {row['bulk_faces_per_s']:.1f} | {row['over_bulk']:.2f} "
            f"| {row['over_bulk_cpu']:.2f} "
            f"| {row['rss_first_mib']:.0f} | {row['rss_last_mib']:.0f} | {statuses} |"
        )
    for problem in result["problems"]:
        print(f"problem: {problem}")


def main() -> None:
    """Measure and print; the exit code is 1 where something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recognizer", type=Path, help="default: trained on the photos")
    parser.add_argument("--seconds", type=float, default=60, help="per load (default: 60)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mien-serve-") as work:
        result = measure(options.recognizer, options.seconds, Path(work))
    show(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    sys.exit(bool(result["problems"]))


if __name__ == "__main__":
    main()
