"""Requests with damaged photos and forms, each determined by a seed and a number."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.client import Part, file_part, form, request

ROUTES = (
    "/v1/identify",
    "/v1/align",
    "/v1/verify",
    "/v1/embed",
    "/face-align",
    "/classify/{handle}",
    "/v1/people/{person}/photos",
)
"""Path templates of the routes that are tested."""

CROPS_SHARE = 0.1
"""Share of identifications with crops: the server keeps their faces in memory for a while."""

_NAMES = (
    "../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "C:\\photo.jpg",
    "/dev/zero",
    "a" * 5000,
    "\x00.jpg",
    "é\u202egpj.exe",
    "",
    "photo.jpg; filename=other.jpg",
    "%2e%2e%2fphoto.jpg",
    "photo\r\nX-Other: 1.jpg",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + ".jpg",
)

Random = random.Random


@dataclass(frozen=True, slots=True)
class Case:
    """A request to send.

    Attributes:
        route: one of ROUTES.
        what: how the photo and the form were damaged.
        message: bytes of the request.
        short: whether the body is shorter than stated, so that the client has to close.
    """

    route: str
    what: str
    message: bytes
    short: bool


def flipped(data: bytes, rng: Random) -> bytes:
    """Return a photo with some flipped bits."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 8, 64, 512))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def head_flipped(data: bytes, rng: Random) -> bytes:
    """Return a photo with flipped bits in its header."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        found[rng.randrange(min(len(found), 700))] ^= 1 << rng.randrange(8)
    return bytes(found)


def cut(data: bytes, rng: Random) -> bytes:
    """Return a truncated photo."""
    return data[: rng.randrange(len(data))]


def spliced(data: bytes, rng: Random) -> bytes:
    """Return a photo that begins with another format's header."""
    heads = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"GIF89a\xff\xff\xff\xff",
        b"BM\xff\xff\xff\xff",
        b"\x00\x00\x00\x20ftypheic",
        b"II*\x00\x08\x00\x00\x00",
        b"%!PS-Adobe",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
    )
    head = rng.choice(heads)
    return head + data[rng.choice((0, len(head))) :]


def vast(data: bytes, rng: Random) -> bytes:
    """Return a photo whose header states a huge size."""
    size = rng.choice((b"\xff\xff\xff\xff", b"\xff\xff\x00\x01", b"\x7f\xff\x7f\xff"))
    if data.startswith(b"\x89PNG"):
        return data[:16] + b"\x00\x00" + size[:2] + b"\x00\x00" + size[2:] + data[24:]
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        place = data.find(marker)
        if 0 < place < len(data) - 9:
            return data[: place + 5] + size + data[place + 9 :]
    return data


def swapped(data: bytes, rng: Random) -> bytes:
    """Return a photo with two pieces swapped, or one repeated."""
    a, b = sorted(rng.sample(range(len(data)), 2))
    return data[b:] + data[a:b] + data[:a] if rng.random() < 0.5 else data[:b] + data[a:]


def zeros(data: bytes, rng: Random) -> bytes:
    """Return zero bytes of the photo's length, a photo with zeros inside, or no bytes."""
    where = rng.randrange(len(data))
    return rng.choice((b"", bytes(len(data)), data[:where] + bytes(4096) + data[where + 4096 :]))


def whole(data: bytes, rng: Random) -> bytes:  # noqa: ARG001 - same signature
    """Return an undamaged photo: only the form is damaged."""
    return data


PHOTOS: Sequence[Callable[[bytes, Random], bytes]] = (
    flipped, flipped, head_flipped, cut, spliced, vast, swapped, zeros, whole,
)  # fmt: skip


def _plain(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    return kind, body, -1


def _wrong_length(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    said = rng.choice((0, 1, len(body) // 2, len(body) - 1, len(body) + 1, 2 * len(body), 1 << 45))
    return kind, body, said


def _wrong_boundary(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    other = (b"other", b"", b'"', b"x" * 5000, b"\xff\xfe", kind[-5:], b'"unclosed', b"a b;c=d")
    return b"multipart/form-data; boundary=" + rng.choice(other), body, -1


def _wrong_kind(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    kinds = (
        b"", b"image/jpeg", b"application/json", b"multipart/mixed; " + kind.split(b"; ")[1],
        b"multipart/form-data", b"application/x-www-form-urlencoded", b"text/plain; charset=utf-7",
        kind + b"; charset=no-such-thing", kind + b"; charset=utf-16",
    )  # fmt: skip
    return rng.choice(kinds), body, -1


def _cut_form(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    return kind, body[: rng.randrange(len(body))], -1


def _no_end(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    return kind, body[: rng.choice((-2, -4, -8))], -1


def _flipped_form(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    found = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        place = rng.choice((rng.randrange(160), -1 - rng.randrange(60)))
        found[place % len(found)] ^= 1 << rng.randrange(8)
    return kind, bytes(found), -1


def _nested(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    kind, body = form(parts, _mark(rng))
    for _ in range(rng.randint(1, 5)):
        kind, body = form([Part(parts[0].head + b"\r\nContent-Type: " + kind, body)], _mark(rng))
    return kind, body, -1


def _missing(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    head = b'Content-Disposition: form-data; name="'
    others = (
        [],
        [Part(head + b'other"', b"1")],
        [Part(b"", parts[0].body)],
        [Part(b"Content-Disposition: attachment", parts[0].body)],
        [Part(head + b'file"', parts[0].body[:70_000])],
        [Part(head + b'file"', b"no file")],
        [Part(head + b'"; filename=""', b"")],
    )
    kind, body = form(rng.choice(others), _mark(rng))
    return kind, body, -1


def _many(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    small = [Part(parts[0].head, parts[0].body[:50]) for _ in range(rng.choice((2, 33, 400)))]
    fields = [Part(b'Content-Disposition: form-data; name="n"', b"v")] * rng.choice((0, 101, 3000))
    kind, body = form([*small, *fields], _mark(rng))
    return kind, body, -1


def _odd_heads(parts: list[Part], rng: Random) -> tuple[bytes, bytes, int]:
    lines = (
        b"X: " + b"y" * rng.choice((10, 9000, 100_000)),
        b"Content-Transfer-Encoding: base64",
        b"Content-Length: 99999999999",
        b"Content-Type: image/jpeg; charset=\x00",
        b": no name",
        b"no colon",
        b"\r\n".join(b"X-%d: 1" % n for n in range(300)),
    )
    kind, body = form(
        [Part(p.head + b"\r\n" + rng.choice(lines), p.body) for p in parts], _mark(rng)
    )
    return kind, body, -1


FORMS: Sequence[Callable[[list[Part], Random], tuple[bytes, bytes, int]]] = (
    _plain, _plain, _plain, _plain, _wrong_length, _wrong_boundary, _wrong_kind, _cut_form, _no_end,
    _flipped_form, _nested, _missing, _many, _odd_heads,
)  # fmt: skip


def _mark(rng: Random) -> bytes:
    return b"%024x" % rng.getrandbits(96)


def case(
    seed: int,
    number: int,
    photos: Sequence[bytes],
    *,
    host: str,
    handle: str,
    person: str,
    routes: Sequence[str] = ROUTES,
) -> Case:
    """Return the request with a number.

    Args:
        seed: seed of all cases.
        number: of this case.
        photos: undamaged photos.
        host: value of the Host header.
        handle: of a recognizer that is served.
        person: id of a person in the gallery.
        routes: routes to send to, in turn.
    """
    rng = random.Random(f"{seed} {number}")  # noqa: S311 - reproducible, not secret
    route = routes[number % len(routes)]
    damage, shape = rng.choice(PHOTOS), rng.choice(FORMS)
    fields = ("a", "b") if route == "/v1/verify" else ("file",)
    parts = []
    for name in fields:
        data = damage(rng.choice(photos), rng)
        odd = rng.choice(_NAMES) if rng.random() < 0.2 else "photo.jpg"
        parts.append(file_part(data, field=name, name=odd))
    kind, body, length = shape(parts, rng)
    path = route.format(handle=handle, person=person)
    if route == "/v1/identify" and rng.random() < CROPS_SHARE:
        path += "?crops=true"
    message = request(path, body, kind, host=host, length=length)
    what = f"{damage.__name__}, {shape.__name__.strip('_')}"
    return Case(route, what, message, length > len(body))
