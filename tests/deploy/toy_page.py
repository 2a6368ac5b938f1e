"""A page with a toy recognizer of red squares; skips where a browser or npm is missing."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from toy_deployments import sign

from mien.deploy.check.browser import chromium_path
from mien.deploy.check.parity import Agreement, check_deployment
from mien.deploy.packaging import npm
from mien.deploy.service.core import SETTINGS
from mien.engine import DetectionSettings
from mien.errors import CheckImpossible, PartsMissing
from mien.photo import encode_png
from mien.recognizer import Recognizer
from mien.types import Policy
from toy_graphs import photo_of, red_squares, toy_engine, toy_head

PNG = "photo.png"
PEOPLE = ("Zoë", 'O\'Brien "Bob" </script>', "张伟")


def needs_runtime() -> None:
    """Skip where onnxruntime-web is not available."""
    try:
        npm.package_files(npm.ONNXRUNTIME_WEB, ["package.json"])
    except PartsMissing as error:
        pytest.skip(f"onnxruntime-web is not available: {error}")


def needs_browser() -> None:
    """Skip where no browser can be controlled."""
    pytest.importorskip("playwright.sync_api")
    try:
        chromium_path()
    except CheckImpossible as error:
        pytest.skip(str(error))


def squares(seed: int, cells=((20, 20),), height=480, width=500):
    """Return a photo whose faces are red squares; the seed selects the background."""
    return photo_of(red_squares(height, width, list(cells), seed=seed), name=f"squares {seed}")


def toy_recognizer(*, threshold: float = 0.999) -> Recognizer:
    """Return a recognizer of PEOPLE; the prototype of the first is the face of `squares(0)`."""
    engine = toy_engine(settings=DetectionSettings(max_side=640, min_side=480))
    head = toy_head(PEOPLE, contract=engine.contract)
    (face,) = Recognizer.build(head, engine, threads=1).identify(squares(0))
    prototypes = np.concatenate([face.embedding[None], head.prototypes[1:]])
    policy = Policy(**{**_fields(head.policy), "threshold": threshold})
    head = replace(head, prototypes=prototypes, policy=policy)
    return Recognizer.build(head, engine, threads=1)


def _fields(policy: Policy) -> dict:
    return {name: getattr(policy, name) for name in Policy.__dataclass_fields__}


def tamper(folder: Path, path: str, old: str, new: str) -> None:
    """Change a file of a page and every digest of it: a bug, not damage."""
    text = (folder / path).read_text("utf-8")
    assert old in text
    before = sha256(text.encode()).hexdigest()
    changed = text.replace(old, new).encode()
    (folder / path).write_bytes(changed)
    settings = json.loads((folder / SETTINGS).read_text("utf-8"))
    settings["files"][path] = {"bytes": len(changed), "sha256": sha256(changed).hexdigest()}
    written = json.dumps(settings, ensure_ascii=False).encode()
    settings_before = sha256((folder / SETTINGS).read_bytes()).hexdigest()
    (folder / SETTINGS).write_bytes(written)
    worker = (folder / "sw.js").read_text("utf-8")
    for digest, data in ((before, changed), (settings_before, written)):
        assert digest in worker
        worker = worker.replace(digest, sha256(data).hexdigest())
    (folder / "sw.js").write_text(worker, "utf-8")
    sign(folder)


def png(seed: int, **options) -> bytes:
    """Return `squares` as a PNG file."""
    return encode_png(squares(seed, **options).pixels)


def names(visit, seed: int, **options) -> list:
    """Return the names that an open page gives the faces of `squares`."""
    return [face["name"] for face in visit.identify(png(seed, **options), PNG)["faces"]]


def checked(folder: Path, photos) -> Agreement:
    """Return the comparison of a page with the library on photos."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for number, photo in enumerate(photos):
            paths.append(Path(scratch) / f"{number}.png")
            paths[-1].write_bytes(encode_png(photo.pixels))
        return check_deployment(folder, paths).agreement
