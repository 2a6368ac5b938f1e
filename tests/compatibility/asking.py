"""How the kept files are asked: the Python API, the command line, a server.

Where a name of the Python API changes, the functions under "Python API" change with it; nothing
else here or in `asked` imports Mien.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

SETTINGS = {
    "MIEN_HOME": "home",
    "MIEN_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "MIEN_KEY": "",
    "MIEN_MODELS": "",
}
"""Environment of everything; the working directory is a copy of the fixtures."""

ANY = "<any>"
"""Stands in expected answers for what may be anything, but must be there."""

Part = tuple[str, str, str]
"""Of a form: field, the file's name, its path."""

Ask = Callable[..., tuple[int, Any]]
"""ask(method, path, *, body, parts, key) → status and JSON (or the kind of what came)."""


# Python API


def command_line() -> Any:
    """Return the click group of all commands."""
    from mien.cli import cli

    return cli


def recognized(path: str, photo: str) -> list[Any]:
    """Return the faces that a recognizer file finds in a photo."""
    from mien.photo import read_photo
    from mien.recognizer import Recognizer

    return Recognizer.load(path, threads=1).identify(read_photo(Path(photo)))


def recognized_by_gallery(folder: str, photo: str, key_file: str = "") -> list[Any]:
    """Return the faces that a gallery finds in a photo."""

    from mien.gallery import Gallery, find_key
    from mien.matching import PhotoIdentifier
    from mien.photo import read_photo

    key = find_key(Path(key_file)) if key_file else None
    with Gallery.open(Path(folder), key=key) as gallery:
        engine = gallery.origin.open_engine(threads=1)
        return PhotoIdentifier(engine, gallery).identify(read_photo(Path(photo)))


def face_row(face: Any) -> dict[str, Any]:
    """Return a face as JSON, every number as it is."""
    return {
        "box": [float(side) for side in face.box],
        "points": [float(value) for value in face.points.ravel()],
        "score": float(face.score),
        "known": face.answer.known,
        "similarity": float(face.similarity),
        "probability": float(face.probability),
        "candidates": [[c.name, c.similarity, c.probability] for c in face.candidates],
        "embedding": [float(value) for value in face.embedding[:8]],
    }


def opened_dataset(folder: str) -> dict[str, Any]:
    """Return what a dataset holds: its rows, and numbers that stand for its arrays."""
    from mien.dataset import Dataset

    found = Dataset.open(folder)
    fields = (
        "id", "person", "source", "photo", "sha256", "face", "faces", "box", "score", "size",
        "blur", "yaw", "quality", "status", "reason", "evidence", "group", "split", "row", "crop",
    )  # fmt: skip
    crops = [found.crop(entry) for entry in found.entries]
    return {
        "digest": found.digest,
        "contract": found.contract,
        "people": list(found.people),
        "labels": found.labels.tolist(),
        "usable": found.usable.tolist(),
        "train": found.train.tolist(),
        "entries": [
            {name: _plain(getattr(entry, name)) for name in fields} for entry in found.entries
        ],
        "embeddings": found.embeddings.sum(axis=1, dtype=float).tolist(),
        "mirrored": found.mirrored.sum(axis=1, dtype=float).tolist(),
        "crops": [None if crop is None else list(crop.shape) for crop in crops],
    }


# The command line, in this process


def mien(*arguments: str) -> tuple[int, str]:
    """Run `python -m mien` with some arguments; return its exit code and standard output."""
    before, printed, code = sys.argv, io.StringIO(), 0
    sys.modules.pop("mien.__main__", None)
    sys.argv = ["mien", *arguments]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                runpy.run_module("mien", run_name="__main__", alter_sys=False)
            except SystemExit as left:
                code = int(left.code or 0)
    finally:
        sys.argv = before
    if code:
        sys.stderr.write(said.getvalue())
    return code, printed.getvalue()


def mien_json(*arguments: str) -> Any:
    """Return what a command prints with `--json`, and its exit code where that is not 0."""
    code, printed = mien(*arguments, "--json")
    answer = json.loads(printed)
    return answer if code == 0 else {"exit code": code, "printed": answer}


# The server


@contextlib.contextmanager
def serving() -> Iterator[Ask]:
    """Serve the kept files on a free port; yields `ask`."""
    keys = json.loads(Path("server-keys.json").read_text("utf-8"))
    command = [
        sys.executable, "-m", "mien", "serve", "toy=recognizers/prototype.onnx",
        "negatives=recognizers/negatives.onnx", "--gallery", "gallery", "--data", "server",
        "--port", "0", "--workers", "1",
    ]  # fmt: skip
    with Path("server.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
        try:
            base = _address(process, Path("server.log"))

            def ask(
                method: str,
                path: str,
                *,
                body: Any = None,
                parts: Sequence[Part] = (),
                key: str = "admin",
            ) -> tuple[int, Any]:
                return _ask(base + path, method, body, parts, keys.get(key, key))

            yield ask
        finally:
            process.terminate()
            process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"http://\S+:\d+", log.read_text("utf-8")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8"))


def _ask(url: str, method: str, body: Any, parts: Sequence[Part], key: str) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    data = None
    if parts:
        data, headers["content-type"] = _form(parts)
    elif body is not None:
        data, headers["content-type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            status, sent, kind = answer.status, answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        with error:
            status, sent, kind = error.code, error.read(), error.headers.get_content_type()
    return status, json.loads(sent) if sent and kind.endswith("json") else kind


def _form(parts: Sequence[Part]) -> tuple[bytes, str]:
    border = uuid.uuid4().hex
    data = b""
    for field, name, path in parts:
        data += (
            f'--{border}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode() + Path(path).read_bytes() + b"\r\n"  # fmt: skip
    return data + f"--{border}--\r\n".encode(), f"multipart/form-data; boundary={border}"


def wait_for_jobs(ask: Ask) -> None:
    """Wait until no training is under way."""
    for _ in range(600):
        jobs = ask("GET", "/v1/jobs")[1]["jobs"]
        if all(job["state"] in {"done", "failed", "cancelled"} for job in jobs):
            return
        time.sleep(0.1)
    raise AssertionError(jobs)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
