"""A real `mien serve` under steady load: do memory, descriptors and threads stay level?

    MIEN_DATA=FOLDER python benchmarks/soak.py [--minutes 60] [--clients 8] [--rate R] [--json F]

Clients identify photos, add people, enrol photos of them and forget them, sign in and out, and send
requests that are refused: broken photos and forms, JSON of another form, wrong keys, unknown
addresses, bodies that end early. Each takes its turns at a steady pace; `--rate` is that of all
together, in requests a second, 0 for as fast as answers come. Photos are those of the ten people
(without MIEN_DATA's archive: the public-domain portraits).

Memory (PSS), descriptors and threads of the server and its children are sampled each minute. It is
a failure if

- the mean memory of the last ten minutes is more than 3 % above that of minutes 10 to 20 (of a
  shorter run: the last sixth and the second);
- descriptors or threads grow by more than the number of clients between the two;
- an answer has the status 500, a well-formed request is refused, or a connection is closed without
  an answer, unless the request stated more bytes than it sent;
- the log has an error, the process dies, or a file is left in the temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fuzz_uploads import real_photos
from mien.server.auth.keys import Keys, Role
from peers.machine import described
from serving.client import NO_ANSWER, Answer, Connection, file_part, form, request
from serving.mutations import ROUTES, case
from serving.process import Served
from serving.whole_process import Sample, Windows, sample

GROWTH = 0.03
ANSWER_SECONDS = 60
_TURNS = (("identify", 10), ("person", 4), ("session", 3), ("refused", 3))
"""What a client does in a turn, and how often in twenty."""


@dataclass(slots=True)
class Seen:
    """What the clients saw."""

    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    late: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many requests were answered, or closed."""
        return sum(counts.total() for counts in self.statuses.values())


class Client:
    """One client: its connection, its pace and its turns.

    Args:
        server: a running server.
        key: text of an API key.
        photos: to send.
        seed: of its choices.
        pause: seconds from one request to the next.
        seen: where it notes what it sees.
    """

    def __init__(
        self, server: Served, key: str, photos: Sequence[bytes], *, seed: int, pause: float,
        seen: Seen,
    ) -> None:  # fmt: skip
        self._server, self._photos, self._seen = server, photos, seen
        self._authorized = {"Authorization": f"Bearer {key}"}
        self._key = key
        self._seed, self._number = seed, 0
        self._rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._pause = pause
        self._next = time.monotonic() + pause * self._rng.random()
        self._connection = Connection(server.host, server.port)

    async def run(self, until: float) -> None:
        """Take turns until a time of the monotonic clock."""
        turns: dict[str, Callable[[], Awaitable[None]]] = {
            "identify": self._identify, "person": self._person, "session": self._session,
            "refused": self._refused,
        }  # fmt: skip
        names, weights = zip(*_TURNS, strict=True)
        while time.monotonic() < until:
            (name,) = self._rng.choices(names, weights)
            await turns[name]()
        self._connection.close()

    async def _ask(
        self, what: str, message: bytes, expected: Sequence[int], *, short: bool = False
    ) -> Answer:
        """Send a request at its time and note the answer."""
        wait = self._next - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._seen.late = max(self._seen.late, -wait)
        self._next = max(self._next + self._pause, time.monotonic() - self._pause)
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._connection.ask(message, end=short)
                if answer.status == NO_ANSWER and not short:  # closed while it was idle: once more
                    answer = await self._connection.ask(message)
        except TimeoutError:
            self._connection.close()
            self._fail(f"{what}: no answer in {ANSWER_SECONDS} s")
            return Answer(NO_ANSWER, {}, b"")
        self._seen.seconds.append(time.perf_counter() - begun)
        self._seen.statuses.setdefault(what, Counter())[str(answer.status)] += 1
        unexpected = bool(expected) and answer.status not in expected
        if unexpected or answer.status in {500, 507} or (answer.status == NO_ANSWER and not short):
            self._fail(f"{what}: {answer.status} {answer.body[:300]!r}")
        return answer

    def _fail(self, why: str) -> None:
        if len(self._seen.failures) < 100:
            self._seen.failures.append(why)

    def _message(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """Return a request with a body of JSON, or a form of photos."""
        kind, data = b"", b""
        if isinstance(body, bytes):
            kind, data = form([file_part(body)])
        elif body is not None:
            kind, data = b"application/json", json.dumps(body).encode()
        made = request(path, data, kind, host=self._server.host, method=method)
        more = self._authorized if headers is None else headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        return made.replace(b"\r\n", b"\r\n" + lines.encode(), 1)

    def _photo(self) -> bytes:
        return self._rng.choice(self._photos)

    async def _identify(self) -> None:
        path = "/v1/identify" + ("?crops=true" if self._rng.random() < 0.1 else "")
        await self._ask("identify", self._message("POST", path, self._photo()), (200,))

    async def _person(self) -> None:
        """Add a person, enrol photos, look the person up, and forget everything again."""
        name = f"person {self._seed} {self._number}"
        self._number += 1
        answer = await self._ask(
            "add a person", self._message("POST", "/v1/people", {"name": name}), (201,)
        )
        if answer.status != 201:
            return
        place = f"/v1/people/{answer.json['id']}"
        for _ in range(2):
            sent = self._message("POST", f"{place}/photos?force=true", self._photo())
            await self._ask("enrol", sent, (200,))
        await self._ask("look up", self._message("GET", place), (200,))
        await self._ask("forget", self._message("DELETE", place), (204,))

    async def _session(self) -> None:
        """Sign in, look, sign out."""
        answer = await self._ask(
            "sign in", self._message("POST", "/v1/session", {"key": self._key}, {}), (200,)
        )
        if answer.status != 200:
            return
        cookie = answer.headers["set-cookie"].split(";")[0]
        headers = {"Cookie": cookie, "x-csrf-token": str(answer.json["csrf"])}
        await self._ask("people", self._message("GET", "/v1/people", None, headers), (200,))
        await self._ask("sign out", self._message("DELETE", "/v1/session", None, headers), (204,))

    async def _refused(self) -> None:
        """Send what is refused: a damaged form or photo, or one of the others."""
        choice = self._rng.randrange(5)
        if choice == 0:
            wrong = {"Authorization": f"Bearer mien_{self._rng.randrange(1 << 32):08x}_{'x' * 43}"}
            sent = self._message("GET", "/v1/people", None, wrong)
            await self._ask("wrong key", sent, (401, 429))
        elif choice == 1:
            await self._ask("nothing there", self._message("GET", "/v1/no-such-address"), (404,))
        elif choice == 2:
            sent = self._message("POST", "/v1/people", {"name": ["no text"], "x": "y" * 9000})
            await self._ask("wrong JSON", sent, (422,))
        elif choice == 3:
            sent = self._message("POST", "/v1/identify", self._photo())
            await self._ask("cut short", sent[: len(sent) // 2], (), short=True)
        else:
            self._number += 1
            made = case(
                self._seed, self._number, self._photos, host=self._server.host, handle="people",
                person="0123456789ab", routes=ROUTES,
            )  # fmt: skip
            lines = "".join(f"{name}: {value}\r\n" for name, value in self._authorized.items())
            sent = made.message.replace(b"\r\n", b"\r\n" + lines.encode(), 1)
            await self._ask("damaged", sent, (), short=made.short)


async def load(
    server: Served, key: str, photos: Sequence[bytes], options: argparse.Namespace, seen: Seen
) -> list[Sample]:
    """Run the clients and return the samples."""
    begun = time.monotonic()
    until = begun + 60 * options.minutes
    pause = options.clients / options.rate if options.rate else 0.0
    clients = [
        Client(server, key, photos, seed=seed, pause=pause, seen=seen)
        for seed in range(options.clients)
    ]
    samples = []

    async def watch() -> None:
        for number in range(1, round(60 * options.minutes / options.every) + 1):
            await asyncio.sleep(begun + number * options.every - time.monotonic())
            if not server.lives:
                return
            now = (time.monotonic() - begun) / 60
            disk = sum(Path(path).stat().st_size for path in server.files if Path(path).is_file())
            samples.append(sample(server.process, now, disk))
            last = samples[-1]
            print(
                f"minute {last.minute:5.1f}: {seen.requests:8,} requests, {last.pss_mib:.0f} MiB, "
                f"{last.descriptors} descriptors, {last.threads} threads, "
                f"{len(seen.failures)} failures",
                flush=True,
            )

    await asyncio.gather(watch(), *(client.run(until) for client in clients))
    return samples


def soak(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Return all results.

    Args:
        options: of the command line.
        work: an empty folder.
    """
    _, key = Keys(work / "data").create(Role.ADMIN, "soak")
    photos = real_photos()
    seen = Seen()
    with Served([], work) as server:
        samples = asyncio.run(load(server, key, photos, options, seen))
        if not server.lives:
            seen.failures.append(f"the server died: {server.log[-2000:]}")
        else:
            left = [path for path in server.files if "/tmp/" in path.removeprefix(str(work))]  # noqa: S108
            if left:
                seen.failures.append(f"files were left: {sorted(left)[:5]}")
        errors = [line for line in server.log.splitlines() if '"ERROR"' in line]
    seen.failures += [f"in the log: {line[:1000]}" for line in errors[:5]]
    windows = Windows.of(samples, options.minutes)
    growth, more = windows.growth(), {n: windows.more(n) for n in ("descriptors", "threads")}
    if not growth <= GROWTH:
        seen.failures.append(f"memory grew by {growth:.1%}")
    for name, count in more.items():
        if count > options.clients:
            seen.failures.append(f"{count} more {name}")
    median, tail = quantiles(seen.seconds, n=100)[49::49] if len(seen.seconds) > 1 else (0.0, 0.0)
    return {
        "machine": described(),
        "minutes": options.minutes,
        "clients": options.clients,
        "rate": options.rate,
        "requests": seen.requests,
        "statuses": {what: dict(sorted(c.items())) for what, c in sorted(seen.statuses.items())},
        "median_s": round(median, 4),
        "p99_s": round(tail, 4),
        "late_s": round(seen.late, 2),
        "memory_growth": round(growth, 4),
        "more_descriptors": more["descriptors"],
        "more_threads": more["threads"],
        "samples": [asdict(each) for each in samples],
        "failures": seen.failures,
    }


def show(result: dict[str, Any]) -> None:
    """Print the results."""
    print(f"\n{result['requests']:,} requests of {result['clients']} clients", end=" ")
    print(f"in {result['minutes']:g} minutes: median {1000 * result['median_s']:.0f} ms,", end=" ")
    print(f"99 % within {1000 * result['p99_s']:.0f} ms\n")
    print("| request | answers |\n|---|---|")
    for what, statuses in result["statuses"].items():
        answers = ", ".join(
            f"{'closed' if status == str(NO_ANSWER) else status}: {count:,}"
            for status, count in statuses.items()
        )
        print(f"| {what} | {answers} |")
    print(f"\nmemory in the last sixth: {result['memory_growth']:+.1%} from the second sixth")
    print(f"descriptors {result['more_descriptors']:+d}, threads {result['more_threads']:+d}")
    for failure in result["failures"][:20]:
        print(f"failure: {failure}")
    print(f"{len(result['failures'])} failures")


def main() -> None:
    """Run and print; the exit code is 1 where something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="requests a second, of all clients together"
    )
    parser.add_argument("--every", type=float, default=60, help="seconds between samples")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mien-soak-") as work:
        result = soak(options, Path(work))
    show(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    sys.exit(bool(result["failures"]))


if __name__ == "__main__":
    main()
