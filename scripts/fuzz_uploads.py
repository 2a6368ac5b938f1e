"""Mutated photos in mutated forms, sent to a server: no crash, no 5xx but 503, no hang, no leak.

    mien serve --port 8000 &
    python scripts/fuzz_uploads.py http://127.0.0.1:8000 photos/ [--cases 10000] [--pid PID]

Photos are cut, spliced, overwritten and put together wrongly; so are the forms around them.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

PATHS = (
    "/v1/identify?crops=true",
    "/v1/align",
    "/face-align",
    "/v1/embed",
    "/v1/jobs",
    "/v1/verify",
)
SECONDS = 60
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".gif", ".tif", ".bmp"}


def mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a photo's bytes, damaged in one to four ways."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            del made[at:]
        elif kind == 1:
            made[at : at + rng.randint(1, 64)] = rng.randbytes(rng.randint(1, 64))
        elif kind == 2:
            other = rng.choice(others)
            cut = rng.randrange(len(other) + 1)
            made[at:] = other[cut:]
        elif kind == 3:
            for place in range(min(len(made), 2048)):
                if rng.random() < 0.01:
                    made[place] ^= 1 << rng.randrange(8)
        elif kind == 4:
            made[at:at] = made[at : at + rng.randint(1, 4096)]
        elif kind == 5:
            made[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x00" * 4, b"\x7f\xff\xff\xff"))
        else:
            del made[at : at + rng.randint(1, 4096)]
    return bytes(made)


def a_form(photo: bytes, field: str, rng: random.Random) -> tuple[str, bytes]:
    """Return the content type and the body of a form, one in three damaged."""
    boundary = f"x{rng.getrandbits(64):x}"
    name = rng.choice(
        ("a.jpg", "", "../../a.jpg", "Ada/a.jpg", "\N{SNOWMAN}.png", "a" * 5000, 'a"b')
    )
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body = head + photo + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    damage = rng.randrange(15)
    if damage == 0:
        body = body[: rng.randrange(len(body) + 1)]
    elif damage == 1:
        kind = rng.choice(("multipart/form-data", "text/plain", "", kind + "x", kind.upper()))
    elif damage == 2:
        body = mutated(head, [photo or b"x"], rng) + body[len(head) :]
    elif damage == 3:
        body *= rng.randint(2, 40)
    elif damage == 4:
        body = rng.randbytes(rng.randrange(4096))
    return kind, body


def fuzz(base: str, photos: Sequence[bytes], cases: int, seed: int = 0) -> Counter[int]:
    """Send mutated photos and return how many answers had which status.

    Raises:
        AssertionError: an answer that may not be, or none in a minute.
    """
    rng = random.Random(seed)  # noqa: S311 - chance, not secrets
    address = urlsplit(base).netloc
    found: Counter[int] = Counter()
    for number in range(cases):
        photo = mutated(rng.choice(photos), photos, rng)
        path = rng.choice(PATHS)
        kind, body = a_form(photo, rng.choice(("file", "file", "a")), rng)
        connection = HTTPConnection(address, timeout=SECONDS)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            raise AssertionError(f"case {number}, {path}: no answer: {error!r}") from error
        finally:
            connection.close()
        found[answer.status] += 1
        if answer.status >= 500 and answer.status != 503:
            raise AssertionError(f"case {number}, {path}: {answer.status}")
    return found


def main() -> None:
    """Fuzz and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pid", type=int, help="of the server: its memory is watched")
    given = parser.parse_args()
    files = [path for path in sorted(given.photos.rglob("*")) if path.suffix.lower() in _SUFFIXES]
    photos = [path.read_bytes() for path in files[:50]]
    if not photos:
        sys.exit(f"no photo in {given.photos}")
    start, part = time.perf_counter(), max(1, given.cases // 10)
    total: Counter[int] = Counter()
    for begin in range(0, given.cases, part):
        total += fuzz(given.base, photos, min(part, given.cases - begin), given.seed + begin)
        print(f"{begin + part:,} cases, {memory(given.pid):.0f} MiB, {dict(sorted(total.items()))}")
    print(f"{time.perf_counter() - start:.0f} s")


def memory(pid: int | None) -> float:
    """Return a process' resident memory in MiB; 0 where it is not asked for."""
    if pid is None:
        return 0.0
    import psutil  # noqa: PLC0415 - only where it is asked for

    return float(psutil.Process(pid).memory_info().rss / 2**20)


if __name__ == "__main__":
    main()
