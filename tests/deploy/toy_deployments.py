"""Deployments of a toy recognizer, whose faces are red squares, and photos for them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from mien.deploy.packaging.contents import deployment_files
from mien.deploy.packaging.digests import DIGESTS, digests_text
from mien.engine import Engine
from mien.photo import encode_png, read_photo
from mien.recognizer import Recognizer
from toy_graphs import red_squares, toy_engine, toy_head

HANDLE = "squares"


def toy_recognizer() -> Recognizer:
    engine = toy_engine()
    return Recognizer.build(toy_head(9, contract=engine.contract), engine, threads=1)


def write_deployment(folder: Path, cors: str = "", recognizer: Recognizer | None = None) -> Path:
    """Write Mien's own files of a deployment into a folder."""
    files = deployment_files(
        recognizer or toy_recognizer(),
        kind="app",
        handle=HANDLE,
        cors=cors,
        adapter="mien.deploy.service.core",
    )
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def sign(folder: Path) -> None:
    """Write the digests of a deployment's files again: it was changed on purpose."""
    lines = (folder / DIGESTS).read_text("utf-8").splitlines()
    files = {line[66:]: (folder / line[66:]).read_bytes() for line in lines}
    (folder / DIGESTS).write_bytes(digests_text(files))


def photo(cells: list[tuple[int, int]], side: int = 320, seed: int = 0) -> bytes:
    """Return a PNG with a face at each (row, column) of a grid of 8-pixel cells."""
    return encode_png(red_squares(side, side, cells, seed))


def form(
    data: bytes, *, name: str = "me.png", field: str = "file", boundary: str = "x-boundary-x"
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a multipart form with one file."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return {"content-type": f"multipart/form-data; boundary={boundary}"}, body


def portrait_recognizer(engine: Engine, portraits: Path) -> Recognizer:
    """Return a recognizer of the largest face in each portrait, named after its file."""
    names, rows = [], []
    for path in sorted(portraits.iterdir()):
        picture = read_photo(path, long_side=engine.max_long_side)
        found = engine.detect(picture)
        if len(found):
            names.append(path.stem)
            rows.append(engine.embed(engine.align(picture, found)).vectors[found.largest()])
    head = toy_head(names, threshold=0.4, contract=engine.contract, dimension=engine.dimension)
    return Recognizer.build(replace(head, prototypes=np.stack(rows)), engine, threads=1)


def large_jpeg(minimum: int, path: Path) -> bytes:
    """Return a photo as a JPEG of at least `minimum` bytes: with noise, enlarged as needed."""
    picture = Image.open(path).convert("RGB")
    noise = np.random.default_rng(0).integers(0, 25, (picture.height, picture.width, 3), np.uint8)
    grainy = Image.fromarray(np.asarray(picture) // 10 * 9 + noise)
    side = max(grainy.size)
    while True:
        buffer = io.BytesIO()
        grainy.save(buffer, "JPEG", quality=95, subsampling=0)
        if buffer.tell() >= minimum:
            return buffer.getvalue()
        side = round(side * 1.15)
        ratio = side / max(grainy.size)
        size = (round(grainy.width * ratio), round(grainy.height * ratio))
        grainy = grainy.resize(size, Image.Resampling.NEAREST)


def with_changed_prototypes(model: bytes, factor: float = 1.02) -> bytes:
    """Return a recognizer file whose prototypes are multiplied by a factor."""
    broken = onnx.load_from_string(model)
    (tensor,) = [t for t in broken.graph.initializer if t.name.startswith("prototypes")]
    longer = numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(numpy_helper.from_array(longer, tensor.name))
    return broken.SerializeToString()
