"""Damaged photos and forms sent to a real `mien serve`: it must not crash, hang or leak.

    MIEN_DATA=FOLDER python benchmarks/fuzz_uploads.py [--cases N] [--seed S] [--first N] [--json F]

Photos of the ten people (without MIEN_DATA's archive: the public-domain portraits) get flipped
bits, are truncated, begin as another format or state huge sizes; forms have wrong lengths and
boundaries, lack parts, are nested or have odd file names. The seed and its number determine each
case, so that `--first N --cases 1` repeats one. It is a failure if

- an answer has a status that the OpenAPI document does not list, or takes too long;
- a connection is closed without an answer, unless the case stated more bytes than it sent;
- the log has an unexpected error, or the process dies;
- memory still grows in the second half of the cases (in the first half caches of libraries may
  grow), more descriptors are open than after the warm-up, or a file is left in the data folder or
  the temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from portraits import fetch

from measuring_photos import data_folder, ten_people_photos
from peers.machine import described
from serving.client import NO_ANSWER, Connection, request
from serving.mutations import ROUTES, Case, case
from serving.process import Listening, Served

HANDLE = "people"
AT_ONCE = 4
CASE_SECONDS = 45
"""Longest time for an answer; the server's own limit is 30."""

PARTS = 10
WARM_SHARE = 0.2
WARM_CASES = 150
GROWTH_MIB = 48
SMALL_SIDE = 480
"""Side of most photos in pixels: small ones are faster, and damage has the same effect."""

REFUSED = b"Invalid HTTP request received."
"""Body of uvicorn's 400 for bytes that are not HTTP, before any route is known."""


@dataclass(slots=True)
class Found:
    """Outcome of the cases."""

    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_case: str = ""

    def note(self, number: int, sent: Case, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses.setdefault(sent.route, Counter())[str(status)] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_case = seconds, f"{number}: {sent.route}, {sent.what}"

    def fail(self, number: int, sent: Case, why: str) -> None:
        """Record a failure, with all that is needed to repeat it."""
        self.failures.append(f"case {number}, {sent.route}, {sent.what}: {why}")


def real_photos() -> list[bytes]:
    """Return the photos to damage, most of them small, as JPEG, PNG and WebP."""
    if (data_folder() / "ten-indian-people.zip").exists():
        named: Iterator[tuple[str, bytes]] = ten_people_photos()
    else:
        folder = Path(tempfile.gettempdir()) / "mien-portraits"
        named = ((path.name, path.read_bytes()) for path in fetch(folder))
    return [made for number, (_, data) in enumerate(named) for made in small(data, number)]


def small(data: bytes, number: int) -> list[bytes]:
    """Return a photo reduced in size, in one of three formats; some photos also unchanged."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError):
        return []
    moderate = [data] if len(data) < 100_000 and number % 4 == 0 else []
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, ("JPEG", "PNG", "WEBP")[number % 3])
    return [buffer.getvalue(), *moderate]


async def documented(server: Listening) -> dict[str, set[int]]:
    """Return the statuses in the server's OpenAPI document, by path."""
    connection = Connection(server.host, server.port)
    answer = await connection.ask(request("/openapi.json", b"", host=server.host, method="GET"))
    connection.close()
    return {
        path: {int(status) for status in row["post"]["responses"]}
        for path, row in answer.json["paths"].items()
        if "post" in row
    }


async def new_person(server: Listening) -> str:
    """Add a person to the gallery and return the id."""
    connection = Connection(server.host, server.port)
    body = json.dumps({"name": "Ada"}).encode()
    answer = await connection.ask(
        request("/v1/people", body, b"application/json", host=server.host)
    )
    connection.close()
    if answer.status != 201:
        raise RuntimeError(f"cannot add a person: {answer.status} {answer.body[:500]!r}")
    return str(answer.json["id"])


class Fuzz:
    """The cases of a seed against one server.

    Args:
        server: a running server.
        photos: undamaged photos.
        seed: seed of all cases.
        routes: routes to send to, in turn.
    """

    def __init__(
        self,
        server: Listening,
        photos: Sequence[bytes],
        seed: int,
        routes: Sequence[str] = ROUTES,
    ) -> None:
        self._server = server
        self._routes = routes
        self._photos = photos
        self._seed = seed
        self._known: dict[str, set[int]] = {}
        self._person = ""
        self.found = Found()

    async def begin(self) -> None:
        """Read the documented statuses, and add a person to enrol photos of."""
        self._known = await documented(self._server)
        self._person = await new_person(self._server)

    async def run(self, numbers: range) -> None:
        """Send the cases with these numbers, several at once."""
        waiting = iter(numbers)

        async def worker() -> None:
            for number in waiting:
                await self._send(number)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    async def _send(self, number: int) -> None:
        sent = case(
            self._seed, number, self._photos,
            host=self._server.host, handle=HANDLE, person=self._person,
            routes=self._routes,
        )  # fmt: skip
        connection = Connection(self._server.host, self._server.port)
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(CASE_SECONDS):
                # A client that sends less than it stated must close, or it would wait for the
                # limit.
                answer = await connection.ask(sent.message, end=sent.short)
        except TimeoutError:
            self.found.fail(number, sent, f"no answer in {CASE_SECONDS} s")
            return
        finally:
            connection.close()
        self.found.note(number, sent, answer.status, time.perf_counter() - begun)
        if answer.status == NO_ANSWER:
            if not sent.short:
                self.found.fail(number, sent, "closed without an answer")
        elif answer.status not in self._known[sent.route] and answer.body != REFUSED:
            self.found.fail(number, sent, f"{answer.status} is not documented")


def settled(server: Served) -> tuple[int, int, frozenset[str]]:
    """Return memory, descriptors and files after connections are closed."""
    time.sleep(1)
    return server.rss, server.descriptors, server.files


def parts(numbers: range) -> Iterator[range]:
    """Yield ten parts of the numbers; memory is measured in between."""
    size = max(1, -(-len(numbers) // PARTS))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def fuzz(photos: Sequence[bytes], numbers: range, seed: int, work: Path) -> dict[str, Any]:
    """Return all results.

    Args:
        photos: undamaged photos.
        numbers: of the cases.
        seed: seed of all cases.
        work: an empty folder.
    """
    warm = numbers[: min(len(numbers) // 2, max(WARM_CASES, int(len(numbers) * WARM_SHARE)))]
    with Served([], work) as server:
        run = Fuzz(server, photos, seed)
        begun = time.perf_counter()
        asyncio.run(run.begin())
        asyncio.run(run.run(warm))
        rss, descriptors, files = settled(server)
        trail = [rss >> 20]
        for part in parts(numbers[len(warm) :]):
            asyncio.run(run.run(part))
            if server.lives:
                trail.append(server.rss >> 20)
        seconds = time.perf_counter() - begun
        found = run.found
        if not server.lives:
            found.failures.append(f"the server died: {server.log[-2000:]}")
            end = (rss, descriptors, files)
        else:
            end = settled(server)
        unexpected = [line for line in server.log.splitlines() if '"ERROR"' in line]
    found.failures += [f"in the log: {line[:2000]}" for line in unexpected[:5]]
    if trail[-1] > trail[len(trail) // 2] + GROWTH_MIB:
        found.failures.append(f"memory grows without end: {trail} MiB")
    if end[1] > descriptors + AT_ONCE:
        found.failures.append(f"descriptors grew from {descriptors} to {end[1]}")
    if new := end[2] - files:
        found.failures.append(f"files were left: {sorted(new)[:5]}")
    return {
        "machine": described(),
        "seed": seed,
        "first": numbers.start,
        "cases": len(numbers),
        "seconds": round(seconds, 1),
        "statuses": {route: dict(sorted(c.items())) for route, c in sorted(found.statuses.items())},
        "slowest_s": round(found.slowest, 2),
        "slowest_case": found.slowest_case,
        "rss_warm_mib": rss >> 20,
        "rss_end_mib": end[0] >> 20,
        "rss_trail_mib": trail,
        "descriptors_warm": descriptors,
        "descriptors_end": end[1],
        "failures": found.failures,
    }


def show(result: dict[str, Any]) -> None:
    """Print the results."""
    print(f"{result['cases']:,} cases of seed {result['seed']} in {result['seconds']:.0f} s\n")
    print("| route | answers |")
    print("|---|---|")
    for route, statuses in result["statuses"].items():
        answers = ", ".join(
            f"{'closed' if status == str(NO_ANSWER) else status}: {count}"
            for status, count in statuses.items()
        )
        print(f"| {route} | {answers} |")
    print(f"\nslowest answer: {result['slowest_s']} s ({result['slowest_case']})")
    print(
        f"memory: {result['rss_warm_mib']} MiB warm, {result['rss_end_mib']} MiB at the end", end=""
    )
    print(f" ({', '.join(map(str, result['rss_trail_mib']))} in between)")
    print(f"descriptors: {result['descriptors_warm']} warm, {result['descriptors_end']} at the end")
    for failure in result["failures"][:50]:
        print(f"failure: {failure}")
    print(f"{len(result['failures'])} failures")


def main() -> None:
    """Run and print; the exit code is 1 where something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.cases)
    with tempfile.TemporaryDirectory(prefix="mien-fuzz-") as work:
        result = fuzz(real_photos(), numbers, options.seed, Path(work))
    show(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    sys.exit(bool(result["failures"]))


if __name__ == "__main__":
    main()
