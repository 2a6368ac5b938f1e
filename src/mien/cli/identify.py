"""The commands `mien identify`, `align`, `verify` and `info`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json, progress_bar, report_error
from mien.cli.hints import hint_of
from mien.cli.rates import LEAST_RATE, Share
from mien.engine import Engine
from mien.errors import OutputError, PhotoError, PhotoNotFound
from mien.faces.drawing import draw_faces
from mien.faces.portraits import portrait
from mien.faces.selection import select_face
from mien.files import is_folder, make_folder, path_exists, real_path, write_atomically
from mien.matching import PhotoIdentifier
from mien.models.cards import DEFAULT_EMBEDDER
from mien.photo import SUFFIXES, encode_jpeg, encode_png, read_photo
from mien.recognizer import Recognizer
from mien.session import usable_cores
from mien.text import count
from mien.types import PORTRAIT_SIDE, Policy
from mien.verification import verify as compare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BATCH = 32
_LIKELY = 0.5
_WIDEST = 10_000


@click.command(
    epilog="\b\nExamples:\n  mien identify people.onnx party.jpg\n"
    "  mien identify people.onnx holidays/ --draw named/\n"
    "  mien identify people.onnx 'photos/*.heic' --json > names.json\n"
    "  mien identify office party.jpg"
)
@click.argument("recognizer", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per photo.")
@click.option(
    "--draw",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write copies with boxes and names: a .jpg or .png for one photo, a folder for several.",
)
@click.pass_context
def identify(
    context: click.Context,
    recognizer: Path,
    photos: tuple[str, ...],
    as_json: bool,
    draw: Path | None,
) -> None:
    """Name the people in PHOTOS: files, folders or patterns.

    RECOGNIZER is a file that `mien train` made, or the folder of a gallery.

    A photo that cannot be read is reported, the others are identified, and the exit code is 1. If
    one of PHOTOS does not exist, nothing is identified.
    """
    paths = list(dict.fromkeys(find_photos(photos)))
    drawn = {} if draw is None else _drawings(paths, draw)
    # Several photos are processed in parallel, one core per photo; one photo uses all cores.
    workers = 1 if len(paths) == 1 else usable_cores()
    model = _load(recognizer, threads=0 if workers == 1 else 1)
    rows: list[dict[str, Any]] = []

    def work(path: Path) -> dict[str, Any]:
        try:
            photo = read_photo(path, long_side=model.max_long_side)
        except PhotoError as error:
            return {"photo": str(path), "faces": [], "error": str(error), "hint": hint_of(error)}
        faces = model.identify(photo)
        width, height = (round(side / photo.scale) for side in (photo.width, photo.height))
        size = {"width": width, "height": height}
        if path in drawn:
            _write_picture(drawn[path], draw_faces(photo, faces))
        rows_of_photo = [face.to_dict() for face in faces]
        return {"photo": str(path), **size, "faces": rows_of_photo, "error": None}

    with ThreadPoolExecutor(workers) as pool, progress_bar() as progress:
        # In batches, so that Ctrl-C takes effect soon and memory does not grow with the photos.
        for start in range(0, len(paths), _BATCH):
            rows.extend(pool.map(work, paths[start : start + _BATCH]))
            if len(paths) > _BATCH:
                progress(len(rows), len(paths), "photos")
    _show(rows, as_json=as_json)
    if any(row["error"] for row in rows):
        context.exit(1)


def _load(path: Path, *, threads: int) -> Recognizer | PhotoIdentifier:
    if not is_folder(path):
        return Recognizer.load(path, threads=threads)
    from mien.cli.gallery.display import how_to_enrol  # noqa: PLC0415
    from mien.gallery import Gallery, find_key  # noqa: PLC0415

    gallery = Gallery.open(path, key=find_key())
    if not any(person.photos for person in gallery.people()):
        note(f"{path} has no people yet: every face is unknown. {how_to_enrol(path)}")
    with progress_bar() as progress:
        engine = gallery.origin.open_engine(threads=threads, progress=progress)
    return PhotoIdentifier(engine, gallery)


def find_photos(arguments: Sequence[str]) -> Iterator[Path]:
    """Yield the photos that files, folders and patterns name, in order.

    Raises:
        PhotoNotFound: no photos are found for one of them.
    """
    for argument in arguments:
        path = Path(argument)
        if not argument:  # An empty shell variable; Path("") would be the current folder.
            found = []
        elif is_folder(path):
            found = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES]
        elif path_exists(path):
            found = [path]
        else:
            found = _matching(path)
        if not found:
            raise PhotoNotFound(
                _why_no_photo(argument),
                hint="Give a photo, a folder of photos, or a pattern in quotes.",
            )
        yield from found


def _why_no_photo(argument: str) -> str:
    """Return the message for an argument of `find_photos` that gives no photos."""
    if argument and is_folder(argument):
        return f"{argument}: no photos in this folder"
    if any(character in argument for character in "*?["):
        return f"{argument}: no file matches this pattern"
    return f"{argument or repr(argument)}: no such file or folder"


def _matching(pattern: Path) -> list[Path]:
    """Return the paths that match a pattern; none where it is no valid one."""
    try:
        root = Path(pattern.anchor or ".")
        return sorted(root.glob(str(pattern.relative_to(pattern.anchor))))
    except (OSError, ValueError, IndexError, NotImplementedError):
        return []


def _drawings(paths: Sequence[Path], draw: Path) -> dict[Path, Path]:
    """Return the path of each photo's drawing: in the folder `draw`, or that file for one photo."""
    if len(paths) == 1 and not is_folder(draw):
        _check_suffix(draw, "--draw")
        drawings = {paths[0]: draw}
    else:
        _make_folder(draw)
        drawings = {path: draw / name for path, name in _drawn_names(paths).items()}
    _check_not_photos(drawings.values(), paths, "--draw")
    return drawings


def _check_not_photos(outputs: Iterable[Path], photos: Iterable[Path], option: str) -> None:
    """Raise `click.BadParameter` if an output would replace one of the photos."""
    originals = {real_path(photo) for photo in photos}
    for output in outputs:
        if real_path(output) in originals:
            raise click.BadParameter(
                f"{output} is one of the photos and would be replaced; give another place",
                param_hint=option,
            )


def _check_suffix(path: Path, option: str) -> None:
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise click.BadParameter("give a name that ends in .jpg or .png", param_hint=option)


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an image in the format of the name's suffix."""
    encode = encode_png if path.suffix.lower() == ".png" else encode_jpeg
    write_atomically(path, encode(pixels))


def _make_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made a folder: {error.strerror}",
            hint="With several photos, --draw takes a folder.",
        ) from error


def _drawn_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a JPEG file name for each photo: its own, numbered where two have the same."""
    seen = Counter(path.stem for path in paths)
    names = {path: f"{path.stem}.jpg" for path in paths if seen[path.stem] == 1}
    taken = set(names.values())
    for path in paths:
        if path not in names:
            free = (f"{path.stem}-{number}.jpg" for number in itertools.count(1))
            names[path] = next(name for name in free if name not in taken)
            taken.add(names[path])
    return names


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        keys = ("photo", "width", "height", "faces", "error")
        print_json([{key: row.get(key) for key in keys} for row in rows])
    else:
        table = Table(
            Column("photo", overflow="fold"),
            Column("name", overflow="fold"),
            *(
                Column(what, no_wrap=True, justify="right")
                for what in ("probability", "similarity", "box")
            ),
            box=None,
        )
        for row in rows:
            for face in row["faces"]:
                table.add_row(escape(row["photo"]), *_cells(face))
            if not row["faces"]:
                why = "cannot be read" if row["error"] else "no face found"
                table.add_row(escape(row["photo"]), f"[dim]{why}[/dim]")
        # In a pipe or a file each face is one line, however long the photo's path.
        console = out if out.is_terminal else Console(highlight=False, width=_WIDEST)
        console.print(table)
        _explain_duplicates(rows)
    for row in rows:
        if row["error"]:
            report_error(row["error"], row["hint"])


def _cells(face: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a face; for an unknown face with the person whose numbers they are."""
    box = " ".join(f"{side:.0f}" for side in face["box"])
    if face["nearest"] is None:
        return "unknown", "-", "-", box
    name = escape(face["name"] or face["nearest"])
    known = name if face["name"] else f"unknown [dim](nearest: {name})[/dim]"
    return known, f"{face['probability']:.0%}", f"{face['similarity']:.2f}", box


def _explain_duplicates(rows: Sequence[dict[str, Any]]) -> None:
    """Explain why faces are unknown that are as similar to a person as faces that are named."""
    duplicates = 0
    for row in rows:
        named = {face["name"]: face["similarity"] for face in row["faces"] if face["name"]}
        duplicates += sum(
            face["name"] is None
            and face["probability"] >= _LIKELY
            and named.get(face["nearest"], -1.0) >= face["similarity"]
            for face in row["faces"]
        )
    if duplicates:
        note(
            f"Unknown though similar: {count(duplicates, 'face')}. Another face in the photo is "
            "more similar to that person, and a person is named at most once per photo."
        )


@click.command(
    epilog="\b\nExamples:\n  mien align me.heic -o me.jpg\n"
    "  mien align family.jpg -o second.png --face 2 --size 600"
)
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A .jpg or .png file."
)
@click.option(
    "--size",
    type=click.IntRange(16, 4096),
    default=PORTRAIT_SIDE,
    show_default=True,
    help="Side of the crop in pixels.",
)
@click.option(
    "--face",
    type=click.IntRange(1),
    help="Which face, counted from the left; the largest if not given.",
)
def align(photo: Path, output: Path, size: int, face: int | None) -> None:
    """Crop one face of PHOTO, upright and scaled so that the eyes have fixed positions.

    The outer corners of the eyes are at 0.3 and 0.7 of the width and a third of the height: the
    same crop as that of the server's `/v1/align`.
    """
    _check_suffix(output, "--output")
    _check_not_photos([output], [photo], "--output")
    with progress_bar() as progress:
        engine = Engine.open(progress=progress)
    picture = read_photo(photo)
    found = engine.detect(picture)
    chosen = select_face(found.boxes, face, photo=picture.name)
    _write_picture(output, portrait(picture, found.points[chosen], size))
    which = f"face {face}" if face else "the largest face"
    note(f"{output}: " + ("the only face" if len(found) == 1 else f"{which} of {len(found)}"))


@click.command(
    epilog="\b\nExamples:\n  mien verify passport.jpg selfie.heic\n"
    "  mien verify a.jpg b.jpg --false-match-rate 0.0001 --json"
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--false-match-rate",
    "rate",
    type=Share(LEAST_RATE),
    default=0.001,
    show_default=True,
    help="Share of pairs of different people that may be taken for one person.",
)
@click.option("--embedder", default=DEFAULT_EMBEDDER, show_default=True, help="Id of a model.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def verify(a: Path, b: Path, rate: float, embedder: str, as_json: bool) -> None:
    """Say whether photos A and B show the same person, by the largest face in each."""
    with progress_bar() as progress:
        engine = Engine.open(embedder=embedder, progress=progress)
    result = compare(a, b, engine=engine, false_match_rate=rate)
    if as_json:
        print_json(result.to_dict())
        return
    answer = "the same person" if result.same else "different people"
    chance = "" if result.probability is None else f", probability {result.probability:.1%}"
    out.print(f"[bold]{answer}[/bold]: similarity {result.similarity:.3f}{chance}")
    out.print(
        f"  {result.threshold:.3f} and above is taken for the same person, which happens to "
        f"{100 * result.false_match_rate:g} % of pairs of different people"
    )


@click.command(epilog="\b\nExamples:\n  mien info people.onnx\n  mien info people.onnx --json")
@click.argument("recognizer", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def info(recognizer: Path, as_json: bool) -> None:
    """Show what a recognizer file holds: people, policy, licences, measured rates."""
    model = Recognizer.load(recognizer)
    if as_json:
        print_json(model.info())
        return
    about, policy = model.about, model.policy
    table = Table(show_header=False, box=None)
    for key, value in (
        ("file", f"{recognizer}, {model.size / 1e6:.1f} MB, by Mien {about.version}"),
        ("made", about.created),
        ("people", f"{len(model.people):,}: {_some(model.people)}"),
        ("a name is given from", f"similarity {policy.threshold:.3f}"),
        ("strangers given a name", _rate(policy)),
        ("how that is known", policy.source),
        ("detector", f"{about.detector.id}, {about.detector.licence}"),
        ("embedder", f"{about.embedder.id}, {about.embedder.licence}"),
        ("trained on", about.embedder.trained_on),
        ("contract", model.contract),
        ("dataset", about.dataset or "not stated"),
    ):
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    out.print(table)


def _rate(policy: Policy) -> str:
    asked, expected = policy.false_positive_rate, policy.expected
    return (
        f"at most {asked:.2%} asked for; expected {expected.value:.2%} ({expected.low:.2%} to "
        f"{expected.high:.2%}), {policy.support}"
    )


def _some(people: Sequence[str], limit: int = 12) -> str:
    rest = f" and {len(people) - limit:,} more" if len(people) > limit else ""
    return ", ".join(people[:limit]) + rest
