"""Small multipart forms: the first line is the value of Content-Type."""

from __future__ import annotations

from collections.abc import Mapping

_KIND = b"multipart/form-data; boundary=b"
_FILE = b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg'
_FIELD = b'Content-Disposition: form-data; name="n"'


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    one = (_FILE, b"\xff\xd8\xff photo")
    return {
        "one": _form(one),
        "two": _form(one, (_FILE.replace(b"a.jpg", b"b.jpg"), b"\r\n--a\r\n")),
        "field": _form((_FIELD, b"value"), one),
        "same": _form((_FIELD, b"1"), (_FIELD, b"2")),
        "quoted": _form(one, kind=b'multipart/form-data; boundary="b"; charset=utf-8'),
        "charset": _form((_FIELD, b"\xff\xfe"), kind=_KIND + b"; charset=utf-16"),
        "unknown-charset": _form((_FIELD, b"x"), kind=_KIND + b"; charset=none-such"),
        "base64": _form((_FILE + b"\r\nContent-Transfer-Encoding: base64", b"cGhvdG8=")),
        "printable": _form((_FILE + b"\r\nContent-Transfer-Encoding: quoted-printable", b"a=3D")),
        "encoded-name": _form((_FILE.replace(b"filename=", b"filename*=utf-8''%ff"), b"x")),
        "path": _form((_FILE.replace(b"a.jpg", b"C:\\photos\\a.jpg"), b"x")),
        "no-name": _form((b"Content-Disposition: form-data", b"x")),
        "no-header": _form((b"", b"x")),
        "empty": _form((_FILE.replace(b"a.jpg", b""), b"")),
        "bytes": _form((_FILE.replace(b"a.jpg", b"\xff\0\x01.jpg"), b"x")),
        "no-end": _form(one)[:-4],
        "cut": _form(one)[:70],
        "before": _KIND + b"\npreamble\r\n" + _form(one).partition(b"\n")[2],
        "no-boundary": _form(one, kind=b"multipart/form-data"),
        "body": b"image/jpeg\n\xff\xd8\xff",
        "mixed": _form(one, kind=b"multipart/mixed; boundary=b"),
        "nothing": b"",
    }


def _form(*parts: tuple[bytes, bytes], kind: bytes = _KIND) -> bytes:
    body = b"".join(b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts)
    return kind + b"\n" + body + b"--b--\r\n"
