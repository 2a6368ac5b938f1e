"""`mien gallery`: commands on the people of a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.gallery.display import STILL_THERE, how_to_enrol, show_gallery, show_person
from mien.cli.serve import data_folder
from mien.errors import PhotoError, UnknownPicture
from mien.text import count

if TYPE_CHECKING:
    from mien.gallery import Enrolment, Gallery
    from mien.recognizer.holders import SoughtPerson

GALLERY = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
PERSON = click.argument("person")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
KEY_FILE = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="Key of an encrypted gallery; default: the key in MIEN_KEY.",
)


@click.group(
    "gallery",
    epilog="\b\nExamples:\n"
    "  mien gallery create office --thumbnails\n"
    "  mien gallery add office 'Ada Lovelace' ada/*.jpg --consent 'by letter, 3 May'\n"
    "  mien identify office party.jpg\n"
    "  mien gallery forget office 'Ada Lovelace'",
)
def gallery_commands() -> None:
    """Enrol, rename, merge and forget people while the gallery is in use.

    A PERSON is a name or an id, as `mien gallery list` shows them.
    """


def opened(folder: Path, key_file: Path | None) -> Gallery:
    """Return the gallery in a folder, opened with the key that the user gave."""
    # Heavy, and not needed for --help.
    from mien.gallery import Gallery, find_key  # noqa: PLC0415

    return Gallery.open(folder, key=find_key(key_file))


@gallery_commands.command(
    epilog="\b\nExamples:\n"
    "  mien gallery add office 'Ada Lovelace' ada1.jpg ada2.heic\n"
    "  mien gallery add office 'Ada Lovelace' photos/ada --consent 'by letter, 3 May'\n"
    "  mien gallery add office --dataset people",
)
@GALLERY
@click.argument("name", required=False)
@click.argument("photos", nargs=-1)
@click.option("--force", is_flag=True, help="Enrol even if checks fail.")
@click.option(
    "--consent", default="", metavar="TEXT", help="A note on what the person has agreed to."
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="Instead of NAME and PHOTOS: all people of a dataset, by its usable photos.",
)
@click.option("--train-only", is_flag=True, help="Only the training side of the dataset.")
@KEY_FILE
@JSON
@click.pass_context
def add(
    context: click.Context,
    *,
    folder: Path,
    name: str | None,
    photos: tuple[str, ...],
    force: bool,
    consent: str,
    dataset: Path | None,
    train_only: bool,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Enrol the person NAME by PHOTOS (files, folders or patterns), or all people of a dataset.

    A photo is refused when it shows no face, or several and it is not clear which one to enrol;
    when its quality is low; when it disagrees with the person's other photos; or when the gallery
    identifies the face as another person. Each refusal states its evidence. The exit code is 1
    when a photo was not enrolled.
    """
    if (dataset is None) != bool(name and photos):
        raise click.UsageError("give NAME and PHOTOS, or --dataset DATASET")
    if dataset is not None:
        with opened(folder, key_file) as gallery:
            imported = import_dataset(gallery, dataset, train_only=train_only)
        report_import(imported, as_json=as_json)
        return
    with opened(folder, key_file) as gallery:
        rows = _enrol(gallery, name or "", photos, force=force, consent=consent)
        person = gallery.find(name or "")
    if as_json:
        print_json([{"photo": path, **row.to_dict()} for path, row in rows])
    else:
        _show_enrolments(rows)
        if person:
            out.print(f"{escape(person.name)} has {count(person.photos, 'photo')}")
    if any(not row.taken and row.reason != "already-enrolled" for _, row in rows):
        context.exit(1)


def _enrol(
    gallery: Gallery, name: str, photos: tuple[str, ...], *, force: bool, consent: str
) -> list[tuple[str, Enrolment]]:
    from mien.cli.identify import find_photos  # noqa: PLC0415
    from mien.gallery import Enrolment  # noqa: PLC0415
    from mien.photo import read_photo  # noqa: PLC0415

    paths = list(dict.fromkeys(find_photos(photos)))
    rows: dict[Path, Enrolment] = {}
    with progress_bar() as progress:
        engine = gallery.origin.open_engine(progress=progress)

        def enrol(path: Path, *, force: bool) -> Enrolment:
            try:
                photo = read_photo(path, long_side=engine.max_long_side)
            except PhotoError as error:
                return Enrolment(False, reason="unreadable", detail=str(error))
            return gallery.enrol_photo(name, photo, engine=engine, force=force, consent=consent)

        # Second try: with the other photos enrolled, the person's face in a group photo is found.
        for last in (False, True):
            waiting = [path for path in paths if path not in rows or _waits(rows[path])]
            for done, path in enumerate(waiting, 1):
                rows[path] = enrol(path, force=force and last)
                progress(done, len(waiting), "photos")
    return [(str(path), rows[path]) for path in paths]


def _waits(row: Enrolment) -> bool:
    return not row.taken and row.reason not in {"already-enrolled", "unreadable", "no-face"}


def _show_enrolments(rows: list[tuple[str, Enrolment]]) -> None:
    table = Table(Column("photo", overflow="fold"), "enrolled", "why not", box=None)
    for path, row in rows:
        taken = "yes" if row.taken else "[yellow]no[/yellow]"
        forced = "forced: " if row.taken and row.reason else ""
        table.add_row(escape(path), taken, escape(forced + row.detail))
    out.print(table)


def import_dataset(gallery: Gallery, dataset: Path, *, train_only: bool = False) -> tuple[int, int]:
    """Import all people of a dataset; return the numbers of people and of new photos."""
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.gallery.exchange.from_dataset import imported_people  # noqa: PLC0415

    crops = gallery.keeps_thumbnails
    found = imported_people(Dataset.open(dataset), train_only=train_only, crops=crops)
    with progress_bar() as progress:
        return gallery.import_people(found, progress=progress)


def report_import(imported: tuple[int, int], *, as_json: bool) -> None:
    """Print how many people and photos were imported."""
    people, photos = imported
    if as_json:
        print_json({"people": people, "photos": photos})
    else:
        out.print(f"{count(people, 'person', 'people')}, {count(photos, 'new photo')}")


@gallery_commands.command(
    "list", epilog="\b\nExamples:\n  mien gallery list office\n  mien gallery list office --json"
)
@GALLERY
@KEY_FILE
@JSON
def list_(*, folder: Path, key_file: Path | None, as_json: bool) -> None:
    """List the people in the gallery DIR."""
    with opened(folder, key_file) as gallery:
        people = gallery.people()
    if as_json:
        print_json([person.to_dict() for person in people])
        return
    if not people:
        out.print(escape(f"no people yet. {how_to_enrol(folder)}"), soft_wrap=True)
        return
    table = Table(Column("name", overflow="fold"), "photos", "consent", "id", box=None)
    for person in people:
        table.add_row(escape(person.name), str(person.photos), escape(person.consent), person.id)
    out.print(table)


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery show office\n  mien gallery show office 'Ada Lovelace'"
)
@GALLERY
@click.argument("person", required=False)
@KEY_FILE
@JSON
def show(*, folder: Path, person: str | None, key_file: Path | None, as_json: bool) -> None:
    """Show what the gallery DIR holds and when it says "unknown", or show one PERSON."""
    with opened(folder, key_file) as gallery:
        if person is None:
            show_gallery(gallery, as_json=as_json)
        else:
            show_person(gallery, gallery.person(person), as_json=as_json)


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery rename office 'Ada Byron' 'Ada Lovelace'"
)
@GALLERY
@PERSON
@click.argument("name")
@KEY_FILE
def rename(*, folder: Path, person: str, name: str, key_file: Path | None) -> None:
    """Give PERSON another NAME."""
    with opened(folder, key_file) as gallery:
        before = gallery.person(person).name
        note(f"{before} is {gallery.rename(person, name).name} now")


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery consent office 'Ada Lovelace' 'by letter, 3 May'"
)
@GALLERY
@PERSON
@click.argument("text")
@KEY_FILE
def consent(*, folder: Path, person: str, text: str, key_file: Path | None) -> None:
    """Replace the note on what PERSON has agreed to."""
    with opened(folder, key_file) as gallery:
        found = gallery.note_consent(person, text)
    note(f"consent of {found.name}: {found.consent or 'nothing noted'}")


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery merge office 'Ada Lovelace' 'A. Byron'"
)
@GALLERY
@PERSON
@click.argument("other")
@KEY_FILE
def merge(*, folder: Path, person: str, other: str, key_file: Path | None) -> None:
    """Merge two entries of one person: PERSON gets the photos of OTHER, which is deleted."""
    with opened(folder, key_file) as gallery:
        gone, kept = gallery.person(other), gallery.merge(person, other)
    note(f"{gone.name} merged into {kept.name}, who has {count(kept.photos, 'photo')} now")


def _confirm(question: str) -> None:
    """End the command unless the user answers yes."""
    try:
        sure = click.confirm(question, err=True)
    except click.Abort as abort:
        note("")  # ends the line of the question
        if isinstance(abort.__context__, EOFError):
            raise click.UsageError(
                "no answer was given: nothing was forgotten. Give --yes."
            ) from abort
        note("Nothing was forgotten.")
        raise click.exceptions.Exit(130) from abort
    if not sure:
        note("Nothing was forgotten.")
        raise click.exceptions.Exit(1)


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery forget office 'Ada Lovelace' --yes\n"
    "  mien gallery forget office 'Ada Lovelace' --recognizers models --recognizers office.onnx\n"
    "  mien gallery forget office 'Ada Lovelace' --photo 3f0c2a9d71be",
)
@GALLERY
@PERSON
@click.option("--photo", metavar="ID", help="Forget only this photo of the person.")
@click.option(
    "--recognizers",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Recognizer file or folder of them; say which still hold PERSON.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@KEY_FILE
def forget(
    *,
    folder: Path,
    person: str,
    photo: str | None,
    recognizers: tuple[Path, ...],
    yes: bool,
    key_file: Path | None,
) -> None:
    """Delete the name, templates, thumbnails and rejected faces of PERSON, and wipe their bytes.

    The audit trail keeps the id. Exports and recognizer files made before still hold the person.
    Those in --recognizers, and those that a server trained in the default data folder or in that of
    the gallery, are searched by the name and by the face, and listed: delete them yourself.
    """
    from mien.recognizer.holders import SoughtPerson  # noqa: PLC0415

    with opened(folder, key_file) as gallery:
        found = gallery.person(person)
        templates = gallery.templates(found.id)
        what = f"photo {photo} of {found.name}" if photo else f"{found.name} and every photo"
        if not yes:
            _confirm(f"Forget {what}?")
        if photo is None:
            wiped = gallery.forget(found.id)
        elif photo in {picture.id for picture in gallery.pictures(found.id)}:
            wiped = gallery.forget_picture(photo)
        else:
            raise UnknownPicture(
                f"{found.name} has no photo {photo}",
                hint=f"See the photos: mien gallery show {folder} {found.id}",
            )
    note(f"forgot {what}")
    if not wiped:
        note(f"warning: its bytes are {STILL_THERE}")
    if photo is None:
        wanted = SoughtPerson(found.name, templates, gallery.contract)
        _say_where_left(wanted, (*recognizers, *_of_servers(folder)))


def _of_servers(folder: Path) -> list[Path]:
    """Return where servers keep what they trained: the default one, and that of the gallery."""
    data = {data_folder(None), folder.absolute().parent}
    found = [each / "recognizers" for each in sorted(data) if (each / "keys.sqlite").is_file()]
    return [each for each in found if each.is_dir()]


def _say_where_left(wanted: SoughtPerson, roots: tuple[Path, ...]) -> None:
    """Print which recognizer files still hold a person."""
    from mien.recognizer.holders import find_in_files, recognizer_files  # noqa: PLC0415

    files = dict.fromkeys(file for root in roots for file in recognizer_files(root))
    for file, holding in find_in_files(iter(files), wanted):
        if holding.by == "unreadable":
            note(f"warning: {file} cannot be read; it may hold {wanted.name}")
        else:
            how = f"by the face, as {holding.name}" if holding.by == "face" else "by the name"
            note(f"warning: {file} still holds {wanted.name}, {how}")
    if files:
        note(f"{count(len(files), 'recognizer file')} searched; exports and backups are not")
    else:
        note("Recognizer files made before still hold the person: --recognizers searches them.")


@gallery_commands.command(epilog="\b\nExamples:\n  mien gallery rate office 0.001")
@GALLERY
@click.argument("rate", type=click.FloatRange(0, 1, min_open=True, max_open=True))
@KEY_FILE
def rate(*, folder: Path, rate: float, key_file: Path | None) -> None:
    """Set the share of strangers who may be given any name; 0.01 is one in a hundred."""
    with opened(folder, key_file) as gallery:
        gallery.set_rate(rate)
        show_gallery(gallery, as_json=False)


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery audit office\n  mien gallery audit office --json"
)
@GALLERY
@click.option("--limit", default=50, show_default=True, help="Number of lines, the latest ones.")
@KEY_FILE
@JSON
def audit(*, folder: Path, limit: int, key_file: Path | None, as_json: bool) -> None:
    """Show who was added, identified and forgotten, when and by which key, latest first."""
    with opened(folder, key_file) as gallery:
        events = gallery.audit_trail(limit=limit)
        names = {person.id: person.name for person in gallery.people()}
    if as_json:
        print_json([event.to_dict() for event in events])
        return
    table = Table("when", "what", Column("who", overflow="fold"), "by", "", box=None)
    for event in events:
        who = names.get(event.person, event.person)
        moment = event.time[:19].replace("T", " ")
        table.add_row(moment, event.action, escape(who), escape(event.key), event.detail)
    out.print(table)
