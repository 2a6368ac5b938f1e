"""Toy weights and photos: a square of pure red is a face, the colours around it say whose."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import asked
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE, CELL, TILE = 480, 32, 24
FACE = 3 * CELL
DIMENSION = 32
PEOPLE = {
    "ada": "Ada Lovelace",
    "zoe": "Zoë Ångström",
    "zhang": "张伟",
    "brien": "O'Brien & Söhne",
}
PHOTOS = 5


# Weights


def detector() -> bytes:
    """Return a detector of YuNet's form that finds a face around each red cell of 32 pixels."""
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
         [70.7299, 92.2041]]
    )  # fmt: skip
    points = ((template + 0.5) / 112 - 0.5) * 3 + 0.5
    nodes, constants, outputs = [], [], []
    for stride in (8, 16, 32):
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["input"], [f"seen_{stride}"], **pool))
        for part, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            weights, bias = np.zeros((width, 3, 1, 1)), np.zeros(width)
            if width == 1:
                bias[:] = -20
                if stride == CELL:
                    weights[:, 0], weights[:, 1] = 40 / 255, -40 / 255
            if part == "bbox":
                bias[:] = 0.5, 0.5, np.log(3), np.log(3)
            if part == "kps":
                bias[:] = points.ravel()
            depth = np.zeros((width, 1, 3, 3))
            depth[:, :, 1, 1] = 1
            name = f"{part}_{stride}"
            values = {
                "point": weights, "bias": bias, "depth": depth, "zero": np.zeros(width),
                "sizes": np.array([1, -1, width]),
            }  # fmt: skip
            for key, value in values.items():
                kind = np.int64 if key == "sizes" else np.float32
                constants.append(numpy_helper.from_array(value.astype(kind), f"{name}_{key}"))
            step = [f"{name}_{n}" for n in range(4)]
            nodes += [
                helper.make_node("Conv", [f"seen_{stride}", f"{name}_point", f"{name}_bias"],
                                 [step[0]], kernel_shape=[1, 1]),
                helper.make_node("Conv", [step[0], f"{name}_depth", f"{name}_zero"], [step[1]],
                                 kernel_shape=[3, 3], pads=[1] * 4, group=width),
                helper.make_node("Transpose", [step[1]], [step[2]], perm=[0, 2, 3, 1]),
            ]  # fmt: skip
            last = step[3] if width == 1 else name
            nodes.append(helper.make_node("Reshape", [step[2], f"{name}_sizes"], [last]))
            if width == 1:
                nodes.append(helper.make_node("Sigmoid", [last], [name]))
            outputs.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, f"cells{stride}", width])
            )
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "H", "W"])
    return _model(helper.make_graph(nodes, "toy_detector", [picture], outputs, constants))


def embedder() -> bytes:
    """Return an embedder: the crop at 8 x 8 pixels without its middle, in random directions."""
    directions = np.random.default_rng(0).normal(size=(3, 8, 8, DIMENSION))
    directions[:, 2:6, 2:6] = 0
    around = np.ones((8, 8), bool)
    around[2:6, 2:6] = False
    directions[:, around] -= directions[:, around].mean(axis=1, keepdims=True)
    # As rows: a form of weights with few bytes takes only tensors of long rows.
    rows = np.ascontiguousarray(directions.reshape(192, -1).T, np.float32)
    constants = [numpy_helper.from_array(rows, "directions")]
    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["small"], kernel_shape=[14, 14], strides=[14, 14]
        ),
        helper.make_node("Flatten", ["small"], ["row"]),
        helper.make_node("Gemm", ["row", "directions"], ["embedding"], transB=1),
    ]
    crop = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSION])
    return _model(helper.make_graph(nodes, "toy_embedder", [crop], [vector], constants))


def _model(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def card(kind: str, data: bytes, rest: str) -> str:
    return f"""id = "toy-{kind}"
kind = "{kind}"
title = "A toy {kind}: red squares are faces"
licence = "CC0-1.0"
licence_url = "https://creativecommons.org/publicdomain/zero/1.0/"
publisher = "The tests of Mien"
trained_on = "nothing"
notes = "For tests."

[weights]
sha256 = "{hashlib.sha256(data).hexdigest()}"
size = {len(data)}

[input]
colour = "RGB"
{rest}"""


EMBEDDER_CARD = f"""side = 112
mean = 127.5
scale = 0.0078125

[output]
dimension = {DIMENSION}

[impostors]
measured_on = "Random patterns, as many as nobody counted."
false_match_rate = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]

[impostors.similarity]
1 = [0.23, 0.41, 0.54, 0.62, 0.68, 0.73]
3 = [0.24, 0.42, 0.55, 0.63, 0.69, 0.74]

[verification]
measured_on = "Random patterns."
slope = 20.0
offset = -11.0
"""


def make_home(folder: Path) -> None:
    """Write the store of weights: cards of a user's own, and the weights under their digests."""
    (folder / "cards").mkdir(parents=True)
    (folder / "weights").mkdir()
    for kind, data, rest in (("detector", detector(), ""), ("embedder", embedder(), EMBEDDER_CARD)):
        digest = hashlib.sha256(data).hexdigest()
        (folder / "weights" / f"{digest}.onnx").write_bytes(data)
        (folder / "cards" / f"toy-{kind}.toml").write_text(card(kind, data, rest))


# Photos


def face(person: int, photo: int, spread: float = 30.0) -> np.ndarray:
    """Return (96, 96, 3) uint8: a person's colours, a little different in each photo."""
    high = (100, 255, 255)
    tiles = np.random.default_rng([person, 1]).integers(0, high, (4, 4, 3)).astype(float)
    tiles += np.random.default_rng([person, photo, 2]).normal(0, spread, tiles.shape)
    pixels = np.clip(tiles, 0, high).astype(np.uint8).repeat(TILE, 0).repeat(TILE, 1)
    pixels[TILE:-TILE, TILE:-TILE] = 60
    pixels[CELL:-CELL, CELL:-CELL] = 255, 0, 0
    return pixels


def photo(*faces: np.ndarray, seed: int) -> bytes:
    """Return a PNG of 480 x 480 with the faces side by side on a background of coloured tiles."""
    rng = np.random.default_rng([seed, 3])
    tiles = rng.integers(0, (100, 200, 200), (SIDE // CELL, SIDE // CELL, 3)).astype(np.uint8)
    pixels = tiles.repeat(CELL, 0).repeat(CELL, 1)
    places = rng.permutation(SIDE // FACE - 1)
    for place, pattern in zip(places, faces, strict=False):
        top, left = CELL * int(rng.integers(1, 11)), CELL + FACE * int(place)
        pixels[top : top + FACE, left : left + FACE] = pattern
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def make_photos(folder: Path) -> None:
    """Write photos to learn from, with faults to be found, and photos to name people in."""
    for number, name in enumerate(PEOPLE):
        (folder / name).mkdir(parents=True)
        for shot in range(PHOTOS):
            data = photo(face(number, shot), seed=100 * number + shot)
            (folder / name / f"{shot}.png").write_bytes(data)
    (folder / "ada" / "again.png").write_bytes((folder / "ada" / "0.png").read_bytes())
    (folder / "zoe" / "two.png").write_bytes(photo(face(1, 31), face(8, 31), seed=31))
    (folder / "zhang" / "nobody.png").write_bytes(photo(seed=32))
    (folder / "zhang" / "broken.png").write_bytes(b"not a photo")
    rows = [
        f"{path.relative_to(folder).as_posix()},{PEOPLE[path.parent.name]}\n"
        for path in sorted(folder.rglob("*.png"))
    ]
    (folder / "people.csv").write_text("path,person\n" + "".join(rows), "utf-8")
    (folder / "new").mkdir()
    for name, shown in asked.PHOTOS.items():
        faces = [face(person, shot) for person, shot in shown]
        data = photo(*faces, seed=200 + len(name) + 7 * len(shown))
        (folder / "new" / name).write_bytes(data)
    for number in range(20, 22):
        own = folder / "strangers" / f"stranger_{number}"
        own.mkdir(parents=True)
        for shot in range(2):
            data = photo(face(number, shot), seed=100 * number + shot)
            (own / f"{shot}.png").write_bytes(data)
    wrong = folder / "strangers" / "stranger_20" / "really_21.png"
    wrong.write_bytes(photo(face(21, 30), seed=30))
