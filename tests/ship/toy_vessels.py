"""Vessels of a toy recognizer, whose faces are red squares, and photos for them."""

from __future__ import annotations

from pathlib import Path

from mien.photo import encode_png
from mien.recognizer import Recognizer
from mien.ship.contents import vessel_files
from toy_graphs import red_squares, toy_engine, toy_head

HANDLE = "squares"


def toy_recognizer() -> Recognizer:
    engine = toy_engine()
    return Recognizer.build(toy_head(9, contract=engine.contract), engine, threads=1)


def lay_out(folder: Path, cors: str = "") -> Path:
    """Write a vessel's own files into a folder."""
    recognizer = toy_recognizer()
    files = vessel_files(recognizer, kind="app", handle=HANDLE, cors=cors, skin="mien.ship.service")
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def photo(cells: list[tuple[int, int]], side: int = 320, seed: int = 0) -> bytes:
    """Return a PNG with a face on each (row, column) of its cells of 8 pixels."""
    return encode_png(red_squares(side, side, cells, seed))


def form(
    data: bytes, *, name: str = "me.png", field: str = "file", boundary: str = "x-boundary-x"
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a form with one file."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return {"content-type": f"multipart/form-data; boundary={boundary}"}, body
