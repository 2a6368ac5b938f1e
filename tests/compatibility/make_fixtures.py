"""Make the files in `fixtures/0.1.0` and record in `expected.json` what their maker answers.

They are made once, by commit 4d251a3 (version 0.1.0), from this folder's scripts:

    git worktree add /tmp/mien-0.1.0 4d251a3
    PYTHONPATH=/tmp/mien-0.1.0/src python tests/compatibility/make_fixtures.py
    PYTHONPATH=/tmp/mien-0.1.0/src python tests/compatibility/make_fixtures.py --expected-only

The second form leaves the files alone. Both fail with any other code than that commit's, unless
`--any-version` is given. `mien ship lambda` and `mien ship page` fetch their libraries with pip
and npm; what is kept of the result is Mien's own.

Weights are toys: a square of pure red is a face, and the pattern of colours around it says whose.
Photos, weights, arrays and recognizer files come out the same each time (SOURCE_DATE_EPOCH is set).
What 0.1.0 draws at random is new each time: ids of people and photos in a gallery, the times of
its audit trail, encryption keys, nonces, and the keys of a server.

What was answered is recorded twice; where the two differ, and where words may change
(`asked.LOOSE`), `expected.json` has "<any>": the field must be there, whatever it says.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import asked
import asking
from toys import PEOPLE, make_home, make_photos

HERE = Path(__file__).resolve().parent
EPOCH = "1767225600"  # 1 January 2026
LAMBDA_OWN = ("mien/", "page/", "recognizer.onnx", "portrait.onnx", "ship.json", "handler.py")


# What Mien makes of them; the folder of all is the working directory.


def mien(*arguments: str, offline: str = "1") -> None:
    """Run a command as a process of its own; it must end well."""
    environment = {**os.environ, "MIEN_OFFLINE": offline}
    subprocess.run([sys.executable, "-m", "mien", *arguments], check=True, env=environment)


def make_datasets() -> None:
    mien(*asked.BUILD)
    mien("dataset", "drop", "dataset", "zhang/4.png")
    mien("dataset", "keep", "dataset", "ada/again.png")
    mien("dataset", "different", "dataset", "Ada Lovelace", "Zoë Ångström")
    mien("dataset", "build", "photos/strangers", "-o", "strangers", *asked.TOYS)


def make_recognizers() -> None:
    from mien.recognizer import Recognizer

    Path("recognizers").mkdir()
    for head in ("prototype", "softmax"):
        mien("train", "dataset", "-o", f"recognizers/{head}.onnx", "--head", head)
    mien("train", "dataset", "-o", "strangers.onnx", "--head", "prototype",
         "--strangers", "strangers", "--false-positive-rate", "0.5")  # fmt: skip
    measured = Recognizer.load("strangers.onnx")
    measured.stored_as("int8").save("recognizers/int8.onnx")
    Path("strangers.onnx").unlink()


def make_galleries() -> None:
    """Make a gallery with every kind of row, and one that is encrypted; and their exports."""
    from mien.gallery.recognise import GalleryRecognizer, engine_for

    from mien.gallery import Gallery
    from mien.photo import read_photo

    mien("gallery", "create", "gallery", "--from", "dataset", "--thumbnails",
         "--false-positive-rate", "0.02")  # fmt: skip
    stranger = "photos/strangers/stranger"
    mien("gallery", "add", "gallery", "Grace", f"{stranger}_20/0.png", "--consent", "by letter")
    mien("gallery", "add", "gallery", "Grace H.", f"{stranger}_20/1.png", "--force")
    mien("gallery", "merge", "gallery", "Grace", "Grace H.")
    mien("gallery", "rename", "gallery", "Grace", "Grace Hopper")
    mien("gallery", "add", "gallery", "Gone", f"{stranger}_21/0.png")
    mien("gallery", "forget", "gallery", "Gone", "--yes")
    mien("gallery", "consent", "gallery", "Ada Lovelace", "told by phone")
    with Gallery.open("gallery") as opened:
        look = GalleryRecognizer(opened, engine_for(opened.origin, threads=1), threads=1)
        (seen,) = look.identify(read_photo(Path("photos/new/rejected.png")))
        opened.reject(PEOPLE["brien"], seen.embedding)
    mien("gallery", "to-onnx", "gallery", "-o", "recognizers/negatives.onnx")
    mien("gallery", "export", "gallery", "-o", "gallery.mien-gallery")
    mien("gallery", "create", "sealed", "--detector", "toy-detector", "--embedder", "toy-embedder",
         "--thumbnails", "--encrypt", "--key-file", "sealed.key")  # fmt: skip
    for folder in ("ada", "zhang"):
        paths = [f"photos/{folder}/{shot}.png" for shot in range(2)]
        mien("gallery", "add", "sealed", PEOPLE[folder], *paths, "--key-file", "sealed.key")
    mien("gallery", "export", "sealed", "-o", "sealed.mien-gallery", "--key-file", "sealed.key")


def make_server() -> None:
    """Make a server's data folder: keys, a job that failed, one that is done, a trained version."""
    from mien.server.jobs import Job
    from mien.server.keys import Keys, Role
    from mien.server.versions import Versions

    data = Path("server")
    keys = Keys(data)
    made = {role.word: keys.create(role, f"{role.word} of the tests") for role in Role}
    revoked, text = keys.create(Role.ADMIN, "revoked")
    keys.revoke(revoked.id)
    texts = {**{word: shown for word, (_, shown) in made.items()}, "revoked": text}
    Path("server-keys.json").write_text(json.dumps(texts, indent=2) + "\n")
    versions = Versions(data / "recognizers", given={})
    done = asked.DONE
    trained = Path("recognizers/softmax.onnx")
    versions.add("trained", done, trained.read_bytes())
    versions.note("trained", done)
    trained.unlink()
    job = Job(
        done, "Trained", "trained", 0.01, state="done", stage="evaluate", done=1, total=1,
        created="2026-01-01T00:00:00+00:00", finished="2026-01-01T00:01:00+00:00", people=4,
        photos=25, version=done, report=True, key=made["operator"][0].id,
    )  # fmt: skip
    folder = data / "jobs" / done
    folder.mkdir(parents=True)
    fields = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    (folder / "job.json").write_text(json.dumps(fields, ensure_ascii=False))
    (folder / "report.html").write_text("<!doctype html><title>Report</title>\n")
    with asking.serving() as ask:  # the default weights are not here: it fails
        parts = [("file", f"{name}/{shot}.png", f"photos/{name}/{shot}.png")
                 for name in ("ada", "zoe") for shot in range(2)]  # fmt: skip
        ask("POST", "/v1/jobs", parts=parts)
        asking.wait_for_jobs(ask)
        ask("POST", "/v1/identify", parts=[("file", "group.png", "photos/new/group.png")])


def make_ships() -> None:
    """Ship to all three; of each keep what is Mien's own, small and read again."""
    mien("ship", "app", "recognizers/prototype.onnx", "-o", "app", "--cors", "*")
    shutil.make_archive("app", "zip", "app")
    shutil.rmtree("app")
    mien("ship", "lambda", "recognizers/prototype.onnx", "-o", "lambda", offline="")
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile("lambda/function.zip") as whole,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as part,
    ):
        for entry in whole.infolist():
            if entry.filename.startswith(LAMBDA_OWN) and not entry.filename.endswith(".pyc"):
                part.writestr(entry, whole.read(entry), zipfile.ZIP_DEFLATED)
    Path("lambda/function.zip").write_bytes(buffer.getvalue())
    mien("ship", "page", "recognizers/prototype.onnx", "-o", "page", "--weights", "float16",
         offline="")  # fmt: skip
    for path in sorted(Path("page").iterdir(), reverse=True):
        if path.name not in {"ship.json", "recognizer"}:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def make(folder: Path) -> None:
    """Make everything in a new folder."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    make_home(folder / "home")
    make_photos(folder / "photos")
    make_datasets()
    make_recognizers()
    make_galleries()
    make_server()
    make_ships()
    for pattern in ("*.lock", "*-wal", "*-shm", "contact_sheet.jpg", "server.log"):
        for path in folder.rglob(pattern):
            path.unlink()
    for made_on_use in ("ready", "partial", "npm"):
        shutil.rmtree(folder / "home" / made_on_use, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--expected-only", action="store_true")
    parser.add_argument("--any-version", action="store_true")
    options = parser.parse_args()
    import mien as code

    made_by = Path(code.__file__).resolve().parents[2]
    commit = subprocess.run(
        ["git", "-C", str(made_by), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    if not commit.startswith("4d251a3") and not options.any_version:
        sys.exit(f"{made_by} is at {commit.strip()}, not at 4d251a3")
    os.environ.update(asking.SETTINGS, SOURCE_DATE_EPOCH=EPOCH)
    final = HERE / "fixtures" / "0.1.0"
    if not options.expected_only:
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch) / "0.1.0"
            make(made)
            os.chdir(HERE)
            shutil.rmtree(final, ignore_errors=True)
            shutil.copytree(made, final)
    expected = asked.unsure(asked.record(final), asked.record(final))
    (HERE / "expected.json").write_text(told(expected) + "\n", "utf-8")


def told(value: object, depth: int = 0) -> str:
    """Return JSON with a line for each field, and lists of numbers and short things on one."""
    if isinstance(value, float):
        value = float(f"{value:.9g}")
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return f"[{', '.join(told(item) for item in value)}]"
    flat = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if not isinstance(value, list | dict) or (len(flat) < 88 - depth):
        return flat
    if isinstance(value, list):
        ends, rows = "[]", [told(item, depth + 1) for item in value]
    else:
        ends = "{}"
        rows = [f"{json.dumps(key, ensure_ascii=False)}: {told(item, depth + 1)}"
                for key, item in sorted(value.items())]  # fmt: skip
    space = "\n" + " " * (depth + 1)
    return f"{ends[0]}{space}{f',{space}'.join(rows)}\n{' ' * depth}{ends[1]}"


if __name__ == "__main__":
    main()
