"""From photos to a recognizer in one command: `make demo`.

Each step prints and runs a command of `mien` that you can type yourself. All results are in the
folder demo/; steps that are done are not repeated.

Photos: those in MIEN_DEMO_PHOTOS (a folder with one folder per person), otherwise seven
public-domain pictures of two presidents (see portraits.py). With Labeled Faces in the Wild and your
own people:

    make demo LFW=lfw-deepfunneled.tgz PEOPLE=my-people.zip
    make demo LFW=download
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from portraits import PortraitsUnavailable, fetch

DEMO = Path("demo")

ALBUM = {
    "Joe Biden": ("biden.jpg",),
    "Barack Obama": (
        "obama.jpg",
        "obama2.jpg",
        "32bit.png",
        "obama_partial_face.jpg",
        "obama_partial_face2.jpg",
    ),
}
"""Person: pictures to train on. obama3.jpg, another photograph, is held out."""

HELD_OUT = "obama3.jpg"

_NOTHING_TO_MEASURE = 16


class DemoStopped(Exception):
    """The demo cannot continue; the message says why."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Photos:
    """The photos of a demo.

    Attributes:
        sources: as `mien dataset build` takes them.
        folder: for the files of this run.
        held_out: a picture that is in no source; None for one of the dataset's held-out photos.
    """

    sources: tuple[str, ...]
    folder: Path
    held_out: Path | None = None


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lfw", metavar="PATH", help="LFW's archive or folder, or `download`")
    parser.add_argument("--people", metavar="PATH", help="a folder per person, or an archive")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        say("Downloading the weights; their licences are:")
        mien("models", "pull")
        say("Collecting photos of people.")
        photos = gather(arguments.lfw, arguments.people)
        make(photos, began)
    except DemoStopped as stop:
        print(f"\nThe demo stopped: {stop}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        print("\nInterrupted. `make demo` continues from here.", file=sys.stderr)
        return 130
    return 0


def gather(lfw: str | None, people: str | None) -> Photos:
    """Return the photos to use: those given, those in MIEN_DEMO_PHOTOS, or the portraits."""
    if lfw or people:
        sources = [] if not lfw else ["lfw" if lfw == "download" else f"lfw:{lfw}"]
        return Photos((*sources, *([people] if people else [])), DEMO / "course")
    own = os.environ.get("MIEN_DEMO_PHOTOS")
    if own:
        return Photos((own,), DEMO / "own")
    return lay_out_portraits()


def lay_out_portraits() -> Photos:
    """Copy the portraits into one folder per person, the layout that Mien reads."""
    pictures = DEMO / "portraits"
    try:
        fetch(pictures)
    except PortraitsUnavailable as error:
        raise DemoStopped(
            f"the demo's pictures are not available: {error}.\n"
            "Set MIEN_DEMO_PHOTOS to a folder with one folder of photos per person."
        ) from error
    for person, names in ALBUM.items():
        folder = DEMO / "photos" / person
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (folder / name).exists():
                shutil.copyfile(pictures / name, folder / name)
        count = "1 picture" if len(names) == 1 else f"{len(names)} pictures"
        say(f"{folder}: {count}", bullet=True)
    say(f"{HELD_OUT} is held out: it is not trained on.", bullet=True)
    return Photos((str(DEMO / "photos"),), DEMO, pictures / HELD_OUT)


def make(photos: Photos, began: float) -> None:
    """Build, train, evaluate and identify; print where the results are."""
    folder = photos.folder
    dataset, recognizer = folder / "dataset", folder / "people.onnx"
    report, named = folder / "report.html", folder / "named.jpg"
    say("Building a dataset: find faces, set doubtful ones aside, hold some photos out.")
    mien("dataset", "build", *photos.sources, "-o", dataset)
    say("Training a recognizer: one file, pixels in, names out.")
    mien("train", dataset, "-o", recognizer)
    say("Measuring its accuracy on photos that it was not trained on.")
    measured = mien("evaluate", recognizer, dataset, "-o", report, allowed=_NOTHING_TO_MEASURE)
    say("Identifying the people in a photo that it was not trained on.")
    photo = photos.held_out or held_out_photo(photos, dataset)
    if photo:
        mien("identify", recognizer, photo, "--draw", named)
    say(f"Done in {time.monotonic() - began:.0f} seconds, with the weights of {weights()}.")
    print("    Look at:")
    rows = [("the recognizer", recognizer), ("the faces", dataset / "contact_sheet.jpg")]
    rows += [("the report", report)] if measured else []
    rows += [("the named photo", named)] if photo else []
    for what, path in rows:
        print(f"    {what:16} {path.resolve()}")
    print(f"\n    Try it: {command('identify', recognizer, 'YOUR_PHOTO.jpg')}")
    print(f"    Its contents, with licences: {command('info', recognizer)}")


def held_out_photo(photos: Photos, dataset: Path) -> Path | None:
    """Copy one of the dataset's held-out photos from its source, a group photo if there is one."""
    from mien.dataset import Dataset  # noqa: PLC0415 — slow to import
    from mien.dataset.sources.layout import Item  # noqa: PLC0415
    from mien.dataset.sources.specs import open_sources  # noqa: PLC0415

    entries = [e for e in Dataset.open(dataset).entries if e.split == "validation" and e.used]
    if not entries:
        say("There is none: no person has two photos.", bullet=True)
        return None
    # Your own people before those of LFW; then the photo with the most faces, the largest first.
    chosen = max(entries, key=lambda e: (e.source != "lfw", min(e.faces, 6), e.size))
    target = photos.folder / f"held-out{Path(chosen.photo).suffix.lower()}"
    item = Item(chosen.source, chosen.person, chosen.photo)
    for source in open_sources(photos.sources):
        if source.label == chosen.source:
            for _, load in source.read([item]):
                target.write_bytes(load())
    say(f"{chosen.photo}, in the folder of {chosen.person}", bullet=True)
    return target


def weights() -> str:
    """Return the models used and their licences."""
    from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card  # noqa: PLC0415

    cards = [card(name) for name in (DEFAULT_DETECTOR, DEFAULT_EMBEDDER)]
    return " and ".join(f"{one.id} ({one.licence})" for one in cards)


def say(line: str, *, bullet: bool = False) -> None:
    """Print what happens next."""
    print(f"    {line}" if bullet else f"\n=== {line}", flush=True)


def command(*words: str | Path) -> str:
    """Return a command of `mien` as a user types it."""
    shown = shutil.which("mien") or Path(sys.executable).with_name("mien")
    program = "mien" if shutil.which("mien") else os.path.relpath(shown)
    return shlex.join([program, *map(str, words)])


def mien(*words: str | Path, allowed: int = 0) -> bool:
    """Print and run a command of `mien`; return whether its exit code is 0.

    Args:
        words: the command line.
        allowed: another exit code with which the demo continues.
    """
    print(f"    $ {command(*words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "mien", *map(str, words)], check=False)
    if done.returncode not in {0, allowed}:
        raise DemoStopped(f"`mien {words[0]}` ended with code {done.returncode}", done.returncode)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
