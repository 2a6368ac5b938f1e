"""What is asked of the kept files, by whoever records the answers and by whoever checks them."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asking import (
    ANY,
    face_row,
    mien,
    mien_json,
    opened_dataset,
    recognized,
    recognized_by_gallery,
    serving,
)
from interfaces import commands, exit_codes, interface

PHOTOS = {
    "ada.png": [(0, 50)],
    "zoe-and-zhang.png": [(1, 51), (2, 51)],
    "group.png": [(3, 52), (0, 52), (40, 52)],
    "stranger.png": [(41, 53)],
    "rejected.png": [(3, 54)],
    "twice.png": [(1, 55), (1, 56)],
    "nobody.png": [],
}
"""Photos to name people in: (number of the person, number of the picture) of each face."""

TOYS = ("--detector", "toy-detector", "--embedder", "toy-embedder", "--jobs", "1")

BUILD = (
    "dataset", "build", "photos/people.csv", "-o", "dataset", "--crop", "margin:8", "--size", "24",
    *TOYS,
)  # fmt: skip

DONE = "20260101-000000-0a1b2c"
"""Id of the training in the server's folder that is done."""

RECOGNIZERS = {
    "prototype": "recognizers/prototype.onnx",
    "softmax": f"server/recognizers/trained/{DONE}.onnx",
    "negatives": "recognizers/negatives.onnx",
    "float16": "page/recognizer/[!c]*.onnx",
    "int8": "recognizers/int8.onnx",
}
"""Recognizer files, or patterns that name one. A page has its own by its digest."""

LOOSE = (
    "*/warnings",
    "*/crop",
    "*/mien",
    # Sentences for people.
    "dataset_check/*/evidence",
    "rebuilt_dataset/card/digest",
    "rebuilt_dataset/card/split/rule",
    "rebuilt_dataset/opened/digest",
    "rebuilt_dataset/opened/*/evidence",
    "evaluated/report/notes",
    "trained/report/policy/source",
    "trained/report/probability/meaning",
    "trained/report/skipped",
    "galleries/*/show/policy/source",
    "server*/policy/source",
    "server*/stored",
    "server*/detail",
    "server*/hint",
    "server*/title",
    "server*/message",
    "server_changes/*/source",
    "gallery_changes/*/detail",
    # What is shipped anew has today's code and libraries, and the recognizer's bytes may be others.
    "ships_again/made/limits",
    "ships_again/made/parts",
    "ships_again/settings/sha256",
    "ships_again/settings/libraries",
    "ships_again/settings/python",
)
"""Patterns of answers that may be anything: the way to them, with `/` between the steps."""


# What is asked. Each function finds a fresh copy of the fixtures in the working directory.


def _recognizers() -> dict[str, str]:
    """Return the paths of the recognizer files by their names."""
    return {name: str(*Path().glob(pattern)) for name, pattern in RECOGNIZERS.items()}


def _shown() -> list[str]:
    return [f"photos/new/{name}" for name in sorted(PHOTOS)]


def faces_by_recognizers() -> Any:
    return {
        name: {photo: [face_row(face) for face in recognized(path, photo)] for photo in _shown()}
        for name, path in _recognizers().items()
    }


def faces_by_galleries() -> Any:
    return {
        folder: {
            photo: [face_row(face) for face in recognized_by_gallery(folder, photo, key)]
            for photo in _shown()
        }
        for folder, key in (("gallery", ""), ("sealed", "sealed.key"))
    }


def recognizers() -> Any:
    found: dict[str, Any] = {}
    for name, path in _recognizers().items():
        found[name] = {
            "info": mien_json("info", path),
            "recognize": mien_json("recognize", path, *_shown()),
        }
    return found


def datasets() -> Any:
    found = {name: opened_dataset(name) for name in ("dataset", "strangers")}
    shown = {
        "show": mien_json("dataset", "show", "dataset"),
        "show person": mien_json("dataset", "show", "dataset", "--person", "Ada Lovelace"),
        "leaks": mien_json("dataset", "leaks", "dataset"),
    }
    return {**found, **shown}


def dataset_check() -> Any:
    return [mien_json("dataset", "check", folder) for folder in ("dataset", "strangers")]


def rebuilt_dataset() -> Any:
    """Build again where the dataset is: what was seen, and the decisions, are found."""
    return {"card": mien_json(*BUILD), "opened": opened_dataset("dataset")}


def trained() -> Any:
    report = mien_json("train", "dataset", "-o", "new.onnx", "--head", "prototype")
    left_out = mien_json("train", "dataset", "--leave-one-out")
    named = mien_json("recognize", "new.onnx", *_shown())
    return {"report": report, "leave one out": left_out, "recognize": named}


def evaluated() -> Any:
    return {
        "report": mien_json("evaluate", "recognizers/prototype.onnx", "dataset"),
        "compare": mien_json("evaluate", "compare", "recognizers/prototype.onnx",
                             "recognizers/negatives.onnx", "dataset"),
    }  # fmt: skip


def galleries() -> Any:
    found: dict[str, Any] = {}
    for folder, key in (("gallery", ()), ("sealed", ("--key-file", "sealed.key"))):
        found[folder] = {
            "list": mien_json("gallery", "list", folder, *key),
            "show": mien_json("gallery", "show", folder, *key),
            "show person": mien_json("gallery", "show", folder, "Ada Lovelace", *key),
            "audit": mien_json("gallery", "audit", folder, *key),
            "check": mien_json("gallery", "check", folder, *key),
        }
    found["gallery"]["recognize"] = mien_json("recognize", "gallery", *_shown())
    return found


def gallery_changes() -> Any:
    """Change the galleries: what old files take, new code writes."""
    new = mien_json("gallery", "add", "gallery", "Newcomer", "photos/strangers/stranger_21/0.png")
    again = mien_json("gallery", "add", "gallery", "Ada Lovelace", "photos/ada/0.png")
    taken = mien_json("gallery", "add", "gallery", "--dataset", "strangers")
    return {
        "add": new,
        "add again": again,
        "add dataset": taken,
        "rename": mien("gallery", "rename", "gallery", "Grace Hopper", "Grace")[0],
        "merge": mien("gallery", "merge", "gallery", "stranger 20", "Grace")[0],
        "forget": mien("gallery", "forget", "gallery", "张伟", "--yes")[0],
        "rate": mien("gallery", "rate", "gallery", "0.05")[0],
        "check": mien_json("gallery", "check", "gallery"),
        "people": [
            [person["name"], person["photos"]] for person in mien_json("gallery", "list", "gallery")
        ],
    }


def gallery_transfers() -> Any:
    """Take in exports, make an export and a recognizer, take the encryption off."""
    found: dict[str, Any] = {
        "import": mien_json("gallery", "import", "gallery.mien-gallery", "copy"),
        "import sealed": mien_json("gallery", "import", "sealed.mien-gallery", "sealed-copy",
                                   "--key-file", "sealed.key"),
        "check": mien_json("gallery", "check", "copy"),
        "check sealed": mien_json("gallery", "check", "sealed-copy", "--key-file", "sealed.key"),
        "recognize": mien_json("recognize", "copy", *_shown()),
        "to-onnx": mien("gallery", "to-onnx", "copy", "-o", "copy.onnx")[0],
        "export": mien("gallery", "export", "copy", "-o", "again.mien-gallery")[0],
        "decrypt": mien("gallery", "rotate-key", "sealed", "--key-file", "sealed.key",
                        "--decrypt")[0],
        "check decrypted": mien_json("gallery", "check", "sealed"),
        "recognize decrypted": mien_json("recognize", "sealed", *_shown()),
    }  # fmt: skip
    found["recognize file"] = mien_json("recognize", "copy.onnx", *_shown())
    found["import again"] = mien_json("gallery", "import", "again.mien-gallery", "third")
    return found


def models() -> Any:
    """Return the models of the kept store; those that come with Mien change."""

    def of_store(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["id"].startswith("toy-")]

    return {
        "list": of_store(mien_json("models", "list")),
        "verify": of_store(mien_json("models", "verify")),
        "detector": mien_json("models", "show", "toy-detector"),
        "embedder": mien_json("models", "show", "toy-embedder"),
    }


def ships() -> Any:
    """Name people with the recognizers inside an app and a Lambda function."""
    with zipfile.ZipFile("app.zip") as app:
        app.extract("recognizer.onnx", "app")
    with zipfile.ZipFile("lambda/function.zip") as function:
        function.extract("recognizer.onnx", "function")
    models = {"app": "app/recognizer.onnx", "lambda": "function/recognizer.onnx"}
    return {kind: mien_json("recognize", path, *_shown()) for kind, path in models.items()}


def ships_again() -> Any:
    """Ship over an app of before: only what Mien shipped is replaced."""
    with zipfile.ZipFile("app.zip") as app:
        app.extractall("app")
    made = mien_json("ship", "app", "recognizers/negatives.onnx", "-o", "app")
    return {"made": made, "settings": json.loads(Path("app/ship.json").read_text("utf-8"))}


def checked_app() -> Any:
    """Run the app as it was shipped, its own code inside, and compare it with today's library.

    The versions of libraries that it asks for are those of the day it was made: taken out here.
    """
    with zipfile.ZipFile("app.zip") as app:
        app.extractall("app")
    settings = json.loads(Path("app/ship.json").read_text("utf-8"))
    settings["libraries"] = dict.fromkeys(settings["libraries"], "")
    Path("app/ship.json").write_text(json.dumps(settings), "utf-8")
    return mien_json("ship", "check", "app", *_shown(), "--recognizer",
                     "recognizers/prototype.onnx")  # fmt: skip


def server_keys() -> Any:
    return mien_json("keys", "list", "--data", "server")


def server() -> Any:
    """Ask a server over the kept files everything that changes nothing but its audit trail."""
    shown = [("file", path, path) for path in ("photos/new/group.png", "photos/new/twice.png")]
    broken = [("file", "broken.png", "photos/zhang/broken.png")]
    two = [("a", "a.png", "photos/new/ada.png"), ("b", "b.png", "photos/new/group.png")]
    with serving() as ask:
        audit = ask("GET", "/v1/audit")
        # Of the start itself: it links the lines of 0.1.0.
        events = audit[1]["events"]
        audit[1]["events"] = [each for each in events if each["action"] != "chain started"]
        people = ask("GET", "/v1/people")
        ada = next(row["id"] for row in people[1]["people"] if row["name"] == "Ada Lovelace")
        return {
            "recognizer": ask("GET", "/v1/recognizer"),
            **{
                f"identify {handle}": ask("POST", f"/v1/identify?handle={handle}", parts=shown)
                for handle in ("people", "toy", "negatives", "trained")
            },
            "identify broken": ask("POST", "/v1/identify", parts=broken),
            "identify crops": ask("POST", "/v1/identify?crops=true", parts=shown[:1]),
            "verify": ask("POST", "/v1/verify", parts=two),
            "embed": ask("POST", "/v1/embed", parts=shown[:1]),
            "align": ask("POST", "/v1/align", parts=shown[:1]),
            "classify": ask("POST", "/classify/toy", parts=shown[:1]),
            "face-align": ask("POST", "/face-align", parts=shown[:1]),
            "people": people,
            "people toy": ask("GET", "/v1/people?handle=toy"),
            "person": ask("GET", f"/v1/people/{ada}"),
            "thumbnail": ask("GET", f"/v1/people/{ada}/thumbnail"),
            "jobs": ask("GET", "/v1/jobs"),
            "job": ask("GET", f"/v1/jobs/{DONE}"),
            "report": ask("GET", f"/v1/jobs/{DONE}/report"),
            "session": ask("GET", "/v1/session"),
            "audit": audit,
            "given": ask("PUT", "/v1/recognizer/trained/service", body={"version": DONE}),
            "no key": ask("GET", "/v1/people", key=""),
            "revoked key": ask("GET", "/v1/people", key="revoked"),
            "viewer may not": ask("GET", "/v1/audit", key="viewer"),
            "nobody": ask("GET", "/v1/people/nobody", key="viewer"),
            "healthz": ask("GET", "/healthz", key=""),
            "readyz": ask("GET", "/readyz", key=""),
        }  # fmt: skip


def server_changes() -> Any:
    """Ask a server over the kept files for changes, by the operator's key."""
    with serving() as ask:
        added = ask("POST", "/v1/people", body={"name": "Newcomer"}, key="operator")
        who = added[1]["id"]
        photo = [("file", "new.png", "photos/strangers/stranger_21/0.png")]
        seen = ask("POST", "/v1/identify?crops=true", parts=photo)[1]["results"][0]["faces"][0]
        correction = {"face_token": seen["face_token"], "is": who}
        return {
            "add": added,
            "photos": ask("POST", f"/v1/people/{who}/photos", parts=photo, key="operator"),
            "change": ask("PATCH", f"/v1/people/{who}", body={"consent": "yes"}, key="operator"),
            "correct": ask("POST", "/v1/corrections", body=correction, key="operator"),
            "forget": ask("DELETE", f"/v1/people/{who}", key="operator")[0],
        }


ANSWERS: dict[str, Callable[[], Any]] = {
    found.__name__: found
    for found in (
        faces_by_recognizers, faces_by_galleries, recognizers, datasets, dataset_check,
        rebuilt_dataset, trained, evaluated, galleries, gallery_changes, gallery_transfers, models,
        ships, ships_again, checked_app, server_keys, server, server_changes, interface, exit_codes,
        commands,
    )
}  # fmt: skip


@contextlib.contextmanager
def copied(fixtures: Path, scratch: Path) -> Iterator[None]:
    """Work in a copy of the fixtures that is made in an empty folder."""
    back = Path.cwd()
    shutil.copytree(fixtures, scratch / "copy")
    for key in (scratch / "copy").glob("*.key"):
        key.chmod(0o600)  # as Mien made it; Git does not store that
    os.chdir(scratch / "copy")
    try:
        yield
    finally:
        os.chdir(back)


def record(fixtures: Path) -> dict[str, Any]:
    """Return all answers; each is asked of a copy of its own."""
    found = {}
    for name, asked in ANSWERS.items():
        with tempfile.TemporaryDirectory() as scratch, copied(fixtures, Path(scratch)):
            found[name] = json.loads(json.dumps(asked()))
    return found


def unsure(one: Any, other: Any, way: str = "") -> Any:
    """Return an answer with `ANY` where another time it was another, and where `LOOSE` says so."""
    if any(fnmatch.fnmatchcase(way, pattern) for pattern in LOOSE):
        return ANY
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: unsure(one[key], other[key], f"{way}/{key}".lstrip("/")) for key in one}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = zip(one, other, strict=True)
        return [unsure(a, b, f"{way}/{n}") for n, (a, b) in enumerate(pairs)]
    return one if one == other else ANY
