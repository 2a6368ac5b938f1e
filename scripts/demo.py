"""From photos to a recognizer in one command: `make demo`.

Each step runs a command of `mien` that you can type yourself, and shows it. All that is made lies
in the folder demo/; what is there already is not done again.

Photos: those of MIEN_DEMO_PHOTOS (a folder with a folder for each person); else seven
public-domain pictures of two presidents (see portraits.py). The whole course job, with Labeled
Faces in the Wild and people of your own:

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
"""Person: pictures to train on. obama3.jpg, another photograph, is kept back."""

KEPT_BACK = "obama3.jpg"

_NOTHING_TO_MEASURE = 16


class DemoStopped(Exception):
    """The demo cannot go on; the text says why."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Photos:
    """What the recognizer is made of.

    Attributes:
        sources: as `mien dataset build` takes them.
        folder: where this run's files go.
        kept_back: a picture that is in no source; None to take one of the dataset's held-out ones.
    """

    sources: tuple[str, ...]
    folder: Path
    kept_back: Path | None = None


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lfw", metavar="PATH", help="LFW's archive or folder, or `download`")
    parser.add_argument("--people", metavar="PATH", help="a folder of folders, or an archive of it")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        say("Fetching the weights; their licences are:")
        mien("models", "pull")
        say("Gathering photos of people.")
        photos = gather(arguments.lfw, arguments.people)
        make(photos, began)
    except DemoStopped as stop:
        print(f"\nThe demo stopped: {stop}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        print("\nInterrupted. `make demo` goes on from here.", file=sys.stderr)
        return 130
    return 0


def gather(lfw: str | None, people: str | None) -> Photos:
    """Return the photos to use: those named, those of MIEN_DEMO_PHOTOS, or the portraits."""
    if lfw or people:
        sources = [] if not lfw else ["lfw" if lfw == "download" else f"lfw:{lfw}"]
        return Photos((*sources, *([people] if people else [])), DEMO / "course")
    own = os.environ.get("MIEN_DEMO_PHOTOS")
    if own:
        return Photos((own,), DEMO / "own")
    return lay_out_portraits()


def lay_out_portraits() -> Photos:
    """Put the portraits into a folder a person, which is all that Mien asks of photos."""
    pictures = DEMO / "portraits"
    try:
        fetch(pictures)
    except PortraitsUnavailable as error:
        raise DemoStopped(
            f"the demo's pictures cannot be had: {error}.\n"
            "Set MIEN_DEMO_PHOTOS to a folder that has a folder of photos for each person."
        ) from error
    for person, names in ALBUM.items():
        folder = DEMO / "photos" / person
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (folder / name).exists():
                shutil.copyfile(pictures / name, folder / name)
        count = "1 picture" if len(names) == 1 else f"{len(names)} pictures"
        say(f"{folder}: {count}", bullet=True)
    say(f"{KEPT_BACK} is kept back: the recognizer will never have seen it.", bullet=True)
    return Photos((str(DEMO / "photos"),), DEMO, pictures / KEPT_BACK)


def make(photos: Photos, began: float) -> None:
    """Build, train, evaluate and name, and say what came of it."""
    folder = photos.folder
    dataset, recognizer = folder / "dataset", folder / "people.onnx"
    report, named = folder / "report.html", folder / "named.jpg"
    say("Building a dataset: find the faces, set doubtful ones aside, keep some photos back.")
    mien("dataset", "build", *photos.sources, "-o", dataset)
    say("Training a recognizer: one file, pixels in, names out.")
    mien("train", dataset, "-o", recognizer)
    say("Measuring it on the photos that it was not trained on.")
    measured = mien("evaluate", recognizer, dataset, "-o", report, may=_NOTHING_TO_MEASURE)
    say("Naming the people in a photo that it was not trained on.")
    photo = photos.kept_back or held_out_photo(photos, dataset)
    if photo:
        mien("recognize", recognizer, photo, "--draw", named)
    say(f"Done in {time.monotonic() - began:.0f} seconds, with the weights of {weights()}.")
    print("    Look at:")
    rows = [("the recognizer", recognizer), ("the faces", dataset / "contact_sheet.jpg")]
    rows += [("the report", report)] if measured else []
    rows += [("the named photo", named)] if photo else []
    for what, path in rows:
        print(f"    {what:16} {path.resolve()}")
    print(f"\n    Try it: {command('recognize', recognizer, 'YOUR_PHOTO.jpg')}")
    print(f"    What it is made of, licences too: {command('info', recognizer)}")


def held_out_photo(photos: Photos, dataset: Path) -> Path | None:
    """Copy one photo of the dataset's held-out ones out of its source; a group if there is one."""
    from mien.dataset import Dataset  # noqa: PLC0415 — heavy, and not needed by the other way
    from mien.dataset.sources.layout import Item  # noqa: PLC0415
    from mien.dataset.sources.specs import open_sources  # noqa: PLC0415

    entries = [e for e in Dataset.open(dataset).entries if e.split == "validation" and e.used]
    if not entries:
        say("There is none: no person has two photos to tell apart.", bullet=True)
        return None
    # People of your own before LFW's; then the photo with the most faces, the largest of these.
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
    """Tell the reader what happens next."""
    print(f"    {line}" if bullet else f"\n=== {line}", flush=True)


def command(*words: str | Path) -> str:
    """Return a command of `mien` as one would type it."""
    shown = shutil.which("mien") or Path(sys.executable).with_name("mien")
    program = "mien" if shutil.which("mien") else os.path.relpath(shown)
    return shlex.join([program, *map(str, words)])


def mien(*words: str | Path, may: int = 0) -> bool:
    """Run a command of `mien`, shown as it is typed; return whether it did all.

    Args:
        words: the command line.
        may: an exit code that is no reason to stop.
    """
    print(f"    $ {command(*words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "mien", *map(str, words)], check=False)
    if done.returncode not in {0, may}:
        raise DemoStopped(f"`mien {words[0]}` ended with code {done.returncode}", done.returncode)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
