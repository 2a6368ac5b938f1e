"""`mien deploy`: a recognizer in other vessels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.errors import DeploymentDiffers, DeployNotInstalled, NothingToMeasure
from mien.text import count

if TYPE_CHECKING:
    from mien.deploy.check.parity import Parity
    from mien.deploy.packaging.sizes import Limit, Part
    from mien.graph.storage_form import Form
    from mien.recognizer import Recognizer

# Those of `mien.graph.storage_form`, which is not needed for --help.
_FORMS = ("float32", "float16", "int8")
_TOLD = 20


@click.group(
    epilog="\b\nExamples:\n"
    "  mien deploy lambda people.onnx -o function\n"
    "  mien deploy app people.onnx -o app\n"
    "  mien deploy page people.onnx -o page\n"
    "  mien deploy check function photos/ --recognizer people.onnx"
)
def deploy() -> None:
    """Put a recognizer into a function, an app or a page, and check that it answers the same."""


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install where a package that vessels are made with is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise DeployNotInstalled(
            f"the packages that vessels are made with are not installed: {error.name}",
            hint="Install them: pip install 'mien[ship]'",
        ) from error


def _handle(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[\w.~-]+", value):
        raise click.BadParameter("letters, digits and . _ ~ - only: it is part of an address")
    return value


def _origin(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and value != "*" and not re.fullmatch(r"https?://[\w.:\[\]-]+", value):
        raise click.BadParameter("an origin is * or looks like https://example.org")
    return value


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what the vessels with a server have in common."""
    for option in reversed(
        (
            click.argument("recognizer", type=click.Path(path_type=Path)),
            click.option(
                "-o",
                "--output",
                "folder",
                type=click.Path(path_type=Path),
                required=True,
                help="The vessel's folder; an earlier one there is replaced.",
            ),
            click.option(
                "--weights",
                type=click.Choice(_FORMS),
                default="int8",
                show_default=True,
                help="How the weights are stored: int8 is a quarter of float32, and as good.",
            ),
            click.option(
                "--handle",
                metavar="NAME",
                callback=_handle,
                help="Names the recognizer in /classify/NAME; the file's own name if not given.",
            ),
            click.option(
                "--cors",
                metavar="ORIGIN",
                default="",
                callback=_origin,
                help="The origin whose pages may ask too, as https://example.org; * for all.",
            ),
            click.option(
                "--python",
                metavar="VERSION",
                default="3.13",
                show_default=True,
                help="Version of the host's Python.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        )
    ):
        command = option(command)
    return command


@deploy.command(
    "lambda",
    epilog="\b\nExamples:\n"
    "  mien deploy lambda people.onnx -o function\n"
    "  mien deploy lambda people.onnx -o function --arch arm64 --cors https://example.org\n"
    "  mien deploy lambda people.onnx -o function --image",
)
@_options
@click.option(
    "--arch",
    type=click.Choice(("x86_64", "arm64")),
    default="x86_64",
    show_default=True,
    help="The processors it runs on.",
)
@click.option(
    "--image", is_flag=True, help="Make a container's context, which may be larger than a zip."
)
def lambda_(
    *,
    recognizer: Path,
    folder: Path,
    weights: Form,
    handle: str | None,
    cors: str,
    python: str,
    arch: Any,
    image: bool,
    as_json: bool,
) -> None:
    """Make an AWS Lambda function of RECOGNIZER: a zip, a template that deploys it, and how.

    The libraries are fetched with pip for the machine that Lambda runs on.
    """
    with _installed():
        from mien.deploy.lambda_function import deploy_lambda  # noqa: PLC0415

    model = _stored(recognizer, weights)
    with progress_bar() as progress:
        made = deploy_lambda(
            model,
            folder,
            handle=handle or _handle_of(recognizer),
            python=python,
            arch=arch,
            cors=cors,
            image=image,
            progress=progress,
        )
    _tell(model, folder, made.parts, made.limits, as_json=as_json)
    if not made.compiled:
        note(
            f"Python {python} is not on this machine, so there is no bytecode in the function: "
            "cold starts take longer."
        )


@deploy.command(
    epilog="\b\nExamples:\n"
    "  mien deploy app people.onnx -o app\n"
    "  mien deploy app people.onnx -o app --handle friends --cors '*'"
)
@_options
def app(
    *,
    recognizer: Path,
    folder: Path,
    weights: Form,
    handle: str | None,
    cors: str,
    python: str,
    as_json: bool,
) -> None:
    """Make an app folder of RECOGNIZER, for hosts of buildpacks and of containers."""
    with _installed():
        from mien.deploy.app_folder import deploy_app  # noqa: PLC0415

    model = _stored(recognizer, weights)
    made = deploy_app(
        model, folder, handle=handle or _handle_of(recognizer), python=python, cors=cors
    )
    _tell(model, folder, made.parts, made.limits, as_json=as_json)


@deploy.command(epilog="\b\nExamples:\n  mien deploy page people.onnx -o page")
@click.argument("recognizer", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="The page's folder; an earlier one there is replaced.",
)
@click.option(
    "--weights",
    type=click.Choice(_FORMS),
    default="int8",
    show_default=True,
    help="How the weights are stored: int8 is a quarter of float32, and as good.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def page(*, recognizer: Path, folder: Path, weights: Form, as_json: bool) -> None:
    """Make a page of RECOGNIZER: static files that recognise faces in the visitor's browser.

    No server is needed, and no photo leaves the browser. The runtime is onnxruntime-web, fetched
    with npm and kept. Whoever can load the page has the names of the recognizer's people and the
    numbers that stand for their faces.
    """
    with _installed():
        from mien.deploy.static_page import deploy_page  # noqa: PLC0415

    model = _stored(recognizer, weights)
    with progress_bar() as progress:
        made = deploy_page(model, folder, progress)
    _tell(model, folder, made.parts, made.limits, packed="as sent (gzip)", as_json=as_json)
    if not as_json:
        note("Whoever can load the page has these people's names and their faces' numbers.")


@deploy.command(
    epilog="\b\nExamples:\n"
    "  mien deploy check function photos/\n"
    "  mien deploy check app photos/ --recognizer people.onnx --json"
)
@click.argument("vessel", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True)
@click.option(
    "--recognizer",
    type=click.Path(path_type=Path),
    help="What the vessel was made of; else the file inside it is what the library runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(vessel: Path, photos: tuple[str, ...], recognizer: Path | None, as_json: bool) -> None:
    """Run VESSEL here and compare its answers on PHOTOS with the library's.

    Names must be the same, similarities within 0.001 and boxes within one pixel.
    """
    from mien.cli.identify import find_photos  # noqa: PLC0415
    from mien.recognizer import Recognizer  # noqa: PLC0415

    with _installed():
        from mien.deploy.check.parity import check_deployment  # noqa: PLC0415

    paths = list(find_photos(photos))
    original = Recognizer.load(recognizer) if recognizer else None
    with progress_bar() as progress:
        found = check_deployment(vessel, paths, original, progress)
    if as_json:
        print_json(asdict(found))
    else:
        _show_parity(found, vessel)
    if found.agreement.disagreements:
        raise DeploymentDiffers(
            f"{vessel} and the library disagree {len(found.agreement.disagreements)} times",
            hint="Make it again with the same version of Mien.",
        )
    if not found.agreement.photos:
        raise NothingToMeasure("none of the photos could be compared", hint="Give other photos.")


def _stored(path: Path, weights: Form) -> Recognizer:
    from mien.recognizer import Recognizer  # noqa: PLC0415

    model = Recognizer.load(path, threads=1)
    return model if model.form == weights else model.stored_as(weights)


def _handle_of(path: Path) -> str:
    """Return a file's name as a part of an address."""
    return re.sub(r"[^\w.~-]+", "-", path.stem)


def _tell(
    model: Recognizer,
    folder: Path,
    parts: Sequence[Part],
    limits: Sequence[Limit],
    *,
    packed: str = "in the zip",
    as_json: bool,
) -> None:
    from mien.deploy.packaging.contents import weights_licences  # noqa: PLC0415
    from mien.deploy.packaging.sizes import megabytes  # noqa: PLC0415

    licences = weights_licences(model)
    if as_json:
        told = {"folder": str(folder), "weights": model.form, "licences": licences}
        sizes = {
            "parts": [asdict(part) for part in parts],
            "limits": [asdict(limit) for limit in limits],
        }
        print_json({**told, **sizes})
        return
    right: Any = {"justify": "right"}
    table = Table("part", Column("bytes", **right), box=None)
    is_packed = any(part.packed for part in parts)
    if is_packed:
        table.add_column(packed, **right)
    for part in parts:
        row = [part.name, megabytes(part.bytes)]
        if is_packed:
            row.append(megabytes(part.packed) if part.packed else "")
        table.add_row(*row)
    out.print(table)
    for limit in limits:
        out.print(f"{limit.what}: {megabytes(limit.bytes)} of {megabytes(limit.limit)} allowed")
    for name, licence in licences.items():
        out.print(f"[bold]{escape(name)}[/bold]: {escape(licence)}", soft_wrap=True)
    note(f"{folder}: see README.md there for how it is deployed")


def _show_parity(found: Parity, vessel: Path) -> None:
    agreement = found.agreement
    for sentence in agreement.disagreements[:_TOLD]:
        note(sentence)
    if len(agreement.disagreements) > _TOLD:
        note(f"and {len(agreement.disagreements) - _TOLD} more")
    for sentence in found.skipped:
        note(f"left out: {sentence}")
    out.print(
        f"{escape(str(vessel))}: {found.vessel}, "
        f"{count(agreement.photos, 'photo')}, {count(agreement.faces, 'face')}"
    )
    out.print(f"  similarities at most {agreement.similarity:.1e} from the library's")
    out.print(f"  boxes at most {agreement.pixels:.1e} pixels")
    if found.original is not None:
        out.print(
            f"  stored as {found.weights}, the weights move similarities by at most "
            f"{found.original:.1e}; {count(len(found.renamed), 'face')} named otherwise"
        )
        for sentence in found.renamed[:_TOLD]:
            note(sentence)
