"""`mien gallery`: commands on a whole gallery: create, export, import, check, encrypt, to-onnx."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.markup import escape

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.gallery.display import STILL_THERE, how_to_enrol
from mien.cli.gallery.people import (
    GALLERY,
    JSON,
    KEY_FILE,
    gallery_commands,
    import_dataset,
    opened,
    report_import,
)
from mien.errors import GalleryBusy, GalleryLocked, GalleryNotFound, NotAGallery, TooFewPeople
from mien.files import real_path, write_atomically
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER
from mien.text import count

_OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write."
)


@gallery_commands.command(
    epilog="\b\nExamples:\n"
    "  mien gallery create office\n"
    "  mien gallery create office --thumbnails --false-positive-rate 0.001\n"
    "  mien gallery create office --from people\n"
    "  mien gallery create office --encrypt --key-file ~/office.key",
)
@GALLERY
@click.option(
    "--from",
    "dataset",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="Import all people of a dataset made by `mien dataset build`.",
)
@click.option(
    "--false-positive-rate",
    "rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="Share of strangers who may be given any name.",
)
@click.option("--thumbnails", is_flag=True, help="Keep the aligned crop of each enrolled photo.")
@click.option("--encrypt", is_flag=True, help="Encrypt templates and thumbnails.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="With --encrypt: file of the key; made with a new key if it does not exist.",
)
@click.option(
    "--embedder", metavar="ID", default=DEFAULT_EMBEDDER, show_default=True, help="Id of a model."
)
@click.option(
    "--detector", metavar="ID", default=DEFAULT_DETECTOR, show_default=True, help="Id of a model."
)
def create(
    *,
    folder: Path,
    dataset: Path | None,
    rate: float,
    thumbnails: bool,
    encrypt: bool,
    key_file: Path | None,
    embedder: str,
    detector: str,
) -> None:
    """Make a gallery in the folder DIR, without people or with those of a dataset."""
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.gallery import Gallery, Origin  # noqa: PLC0415
    from mien.gallery.exchange.from_dataset import origin_of  # noqa: PLC0415

    key = _key_for(folder, key_file) if encrypt else None
    if dataset is not None:
        origin = origin_of(Dataset.open(dataset))
    else:
        from mien.engine import Engine  # noqa: PLC0415

        with progress_bar() as progress:
            origin = Origin.of(Engine.open(embedder=embedder, detector=detector, progress=progress))
    with Gallery.create(folder, origin, rate=rate, thumbnails=thumbnails, key=key) as gallery:
        if dataset is not None:
            report_import(import_dataset(gallery, dataset), as_json=False)
    warning = ", encrypted; without the key the templates are lost" if encrypt else ""
    note(f"{folder}: a gallery{warning}")


def _key_for(folder: Path, key_file: Path | None) -> bytes:
    """Return the key in a file or in MIEN_KEY; a missing file is made with a new key."""
    from mien.gallery import find_key, write_new_key  # noqa: PLC0415

    if key_file is not None and not key_file.exists():
        if real_path(key_file).is_relative_to(real_path(folder)):
            raise click.UsageError("keep the key outside the gallery's folder")
        return write_new_key(key_file)
    key = find_key(key_file)
    if key is None:
        raise click.UsageError("--encrypt needs a key: --key-file FILE, or MIEN_KEY")
    return key


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery export office -o office.mien-gallery\n"
    "  mien gallery export office -o office.zip --plain",
)
@GALLERY
@_OUTPUT
@click.option(
    "--plain", is_flag=True, help="Do not encrypt the file, although the gallery is encrypted."
)
@KEY_FILE
def export(*, folder: Path, output: Path, plain: bool, key_file: Path | None) -> None:
    """Write the gallery DIR to one file: people, notes, templates, rejected faces, thumbnails.

    The file of an encrypted gallery is encrypted with the same key.
    """
    from mien.gallery.exchange.transfer import export_gallery  # noqa: PLC0415

    with opened(folder, key_file) as gallery:
        encrypted = gallery.encrypted and not plain
        write_atomically(output, export_gallery(gallery, plain=plain), private=True)
    state = "encrypted" if encrypted else "not encrypted: the templates can be read without a key"
    note(f"{output}: {state}")


@gallery_commands.command(
    "import",
    epilog="\b\nExamples:\n  mien gallery import office.mien-gallery branch\n"
    "  mien gallery import office.mien-gallery branch --key-file office.key",
)
@click.argument("file", type=click.Path(path_type=Path))
@GALLERY
@KEY_FILE
@JSON
def import_(*, file: Path, folder: Path, key_file: Path | None, as_json: bool) -> None:
    """Import all people of an exported FILE into the gallery DIR, made where there is none.

    All people are imported, or none. A person with the same name gets the photos that are new.
    With a key, a new gallery is encrypted.
    """
    from mien.gallery import find_key  # noqa: PLC0415
    from mien.gallery.exchange.transfer import Export, import_into  # noqa: PLC0415

    key = find_key(key_file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise GalleryNotFound(
            f"cannot read {file}: {error.strerror}",
            hint="`mien gallery export DIR -o FILE` writes one.",
        ) from error
    imported = import_into(folder, Export(data, key=key, name=str(file)), key=key)
    report_import(imported, as_json=as_json)


@gallery_commands.command(
    epilog="\b\nExamples:\n  mien gallery check office\n  mien gallery check office --json"
)
@GALLERY
@KEY_FILE
@JSON
def check(*, folder: Path, key_file: Path | None, as_json: bool) -> None:
    """Check the gallery DIR: its file, every row, and that its files hold nothing else.

    Deleted data is wiped first. Then the file is compared with a file made from the rows alone: a
    byte of a forgotten person would be a difference. The exit code is 18 where a fault is found.
    """
    from mien.gallery.integrity import check_gallery  # noqa: PLC0415

    with opened(folder, key_file) as gallery:
        found = check_gallery(gallery)
    if as_json:
        print_json(found.to_dict())
    else:
        state = "encrypted" if found.encrypted else "not encrypted"
        out.print(
            f"{count(found.people, 'person', 'people')}, {count(found.photos, 'photo')}, "
            f"{count(found.negatives, 'rejected face')}, {state}"
        )
        for fault in found.faults:
            out.print(f"[red]fault:[/red] {escape(fault)}")
        if found.clean:
            out.print("no trace of deleted data in the files")
    if not found.wiped:
        note(f"warning: deleted data is {STILL_THERE}")
    if found.faults:
        raise NotAGallery(
            f"{folder}: {count(len(found.faults), 'fault')}",
            hint="Go back to an export if you have one.",
        )
    if not found.wiped:
        raise GalleryBusy(
            f"{folder}: whether its files hold nothing else cannot be checked while another "
            "process reads the file",
            hint="Check again when that process has ended.",
        )


@gallery_commands.command(
    "to-onnx", epilog="\b\nExamples:\n  mien gallery to-onnx office -o office.onnx"
)
@GALLERY
@_OUTPUT
@KEY_FILE
def to_onnx(*, folder: Path, output: Path, key_file: Path | None) -> None:
    """Make a recognizer file that answers as the gallery DIR does now.

    A person who is forgotten later is still in the file. It is not encrypted: that of an encrypted
    gallery can be read by its owner only.
    """
    from mien.recognizer import Recognizer  # noqa: PLC0415

    with opened(folder, key_file) as gallery, progress_bar() as progress:
        head, warnings = gallery.head(), gallery.warnings
        if not head.people:
            raise TooFewPeople(
                f"{folder}: no person in it has a photo",
                hint=how_to_enrol(folder),
            )
        engine, is_private = gallery.origin.open_engine(progress=progress), gallery.encrypted
    measured = {
        "policy": asdict(head.policy),
        "warnings": [notice.text for notice in warnings],
        "warning_codes": [notice.code for notice in warnings],
    }
    recognizer = Recognizer.build(head, engine, measured=measured)
    write_atomically(output, recognizer.to_bytes(), private=is_private)
    for weights in (recognizer.about.detector, recognizer.about.embedder):
        out.print(f"weights inside: {weights.id}, {weights.licence}, {escape(weights.publisher)}")
    photos = int(head.photos.sum())
    out.print(
        f"[bold]{escape(str(output))}[/bold] knows "
        f"{count(len(head.people), 'person', 'people')} from {count(photos, 'photo')}"
    )


@gallery_commands.command(
    "rotate-key",
    epilog="\b\nExamples:\n"
    "  mien gallery rotate-key office --key-file old.key --new-key-file new.key\n"
    "  mien gallery rotate-key office --key-file old.key --decrypt",
)
@GALLERY
@KEY_FILE
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path),
    help="File of the new key; made with a random key if it does not exist.",
)
@click.option("--decrypt", is_flag=True, help="Remove the encryption.")
def rotate_key(
    *, folder: Path, key_file: Path | None, new_key_file: Path | None, decrypt: bool
) -> None:
    """Encrypt the gallery DIR with another key; also a gallery that was not encrypted.

    Nothing that the old key decrypts is left in the folder. Exports keep the key that they were
    made with.
    """
    if (new_key_file is None) != decrypt:
        raise click.UsageError("give --new-key-file FILE, or --decrypt")
    with opened(folder, key_file) as gallery:
        if decrypt and not gallery.encrypted:
            raise GalleryLocked(f"{folder} is not encrypted", hint="There is nothing to undo.")
        new = None if new_key_file is None else _key_for(folder, new_key_file)
        wiped = gallery.rotate_key(new)
    note(f"{folder}: " + ("no longer encrypted" if decrypt else "encrypted with the new key"))
    if not wiped:
        note(f"warning: what it held before is {STILL_THERE}")
