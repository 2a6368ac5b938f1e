"""Small models and servers in place of real weights and sources."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mien.models.cards import parse_card

WEIGHTS = b"mien" + bytes(range(256)) * 12_000  # 3 MB: more than one block of a copy


def card_text(
    model_id: str = "toy",
    data: bytes = WEIGHTS,
    sources: str = "",
    *,
    dimension: int = 8,
    extra: str = "",
) -> str:
    """Return the TOML of an embedder's card for `data`."""
    return f"""
id = "{model_id}"
kind = "embedder"
title = "A toy"
licence = "CC0-1.0"
publisher = "The tests"
trained_on = "nothing"

[weights]
sha256 = "{hashlib.sha256(data).hexdigest()}"
size = {len(data)}

[input]
colour = "RGB"
side = 112
{extra}

[output]
dimension = {dimension}

{sources}
"""


def toy(sources: str = "", data: bytes = WEIGHTS):
    return parse_card(card_text(data=data, sources=sources), name="toy.toml")


def wheel_source(name: str = "mientoy", member: str = "mientoy/toy.onnx") -> str:
    return f'[[sources]]\nwheel = "{name}==1.0"\nmember = "{member}"\n'


def url_source(url: str) -> str:
    return f'[[sources]]\nurl = "{url}"\n'


def build_wheel(folder: Path, members: dict[str, bytes], name: str = "mientoy") -> Path:
    """Write a wheel by hand, deflated."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in {**members, **texts}.items():
            archive.writestr(member, data)
    return path


class Publisher:
    """A web server on this machine that can be set to fail.

    Attributes:
        data: what it serves.
        break_after: bytes after which the next answers break off, one a request.
        ranges: whether it honours Range.
        status: other than 200: the only answer.
        asked: the Range header of each request.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.break_after: list[int] = []
        self.ranges = True
        self.status = 200
        self.asked: list[str | None] = []
        self.pause = threading.Event()
        self.pause.set()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/toy.onnx"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status != 200:
            request.send_error(self.status)
            return
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and self.ranges else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header(
                "Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            )
        request.send_header("Content-Length", str(len(self.data) - start))
        request.end_headers()
        body = self.data[start:]
        if self.break_after:
            body = body[: self.break_after.pop(0)]
        half = len(body) // 2
        try:
            request.wfile.write(body[:half])
            request.wfile.flush()
            self.pause.wait(20)
            request.wfile.write(body[half:])
        except OSError:
            pass  # the one who asked is gone: some tests kill it
        request.close_connection = True

    def close(self) -> None:
        self.pause.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def toy_network(
    *,
    batch: str | int = "N",
    side: int = 112,
    dimension: int = 8,
    scale: float = 1.0,
    constant: bool = False,
    domain: str = "",
    outputs: int = 1,
    mixing: bool = False,
) -> bytes:
    """Return an embedder: mean colours of 16 x 16 blocks, projected; or one with a fault.

    Args:
        batch: first size of the input, free or a number.
        side: of the pictures it takes.
        dimension: of its embeddings.
        scale: multiplies what comes out.
        constant: it does not look at the picture.
        domain: of its last operator.
        outputs: how many.
        mixing: it takes the mean of the batch from each embedding.
    """
    rng = np.random.default_rng(1)
    cells = (side // 16) ** 2 * 3
    weights = rng.normal(size=(cells, dimension)) * (0 if constant else scale)
    values = {
        "weights": weights.astype(np.float32),
        "bias": rng.normal(size=dimension).astype(np.float32),
        "first": np.array([0], np.int64),
    }
    make = helper.make_node
    nodes = [
        make("AveragePool", ["picture"], ["blocks"], kernel_shape=[16, 16], strides=[16, 16]),
        make("Flatten", ["blocks"], ["cells"]),
        make("Gemm", ["cells", "weights", "bias"], ["vector"]),
    ]
    if mixing:
        nodes.append(make("ReduceMean", ["vector", "first"], ["mean"], keepdims=1))
        nodes.append(make("Sub", ["vector", "mean"], ["centred"]))
    nodes.append(make("Neg", [nodes[-1].output[0]], ["out"], domain=domain))
    nodes += [make("Relu", ["out"], [f"out{i}"]) for i in range(1, outputs)]
    sizes = [batch, 3, side, side]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, sizes)],
        [
            helper.make_tensor_value_info(f"out{i or ''}", TensorProto.FLOAT, [batch, dimension])
            for i in range(outputs)
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
