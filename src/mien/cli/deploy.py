"""`mien deploy`: make a Lambda function, an app or a page of a recognizer, and check it."""

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

# The values of `mien.graph.storage_form.Form`, which --help does not import.
_FORMS = ("float32", "float16", "int8")
_MAX_LISTED = 20


@click.group(
    epilog="\b\nExamples:\n"
    "  mien deploy lambda people.onnx -o function\n"
    "  mien deploy app people.onnx -o app\n"
    "  mien deploy page people.onnx -o page\n"
    "  mien deploy check function photos/ --recognizer people.onnx"
)
def deploy() -> None:
    """Deploy a recognizer as a function, an app or a page, and check that it answers the same."""


@contextmanager
def _installed() -> Iterator[None]:
    """Turn a failed import into an error that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise DeployNotInstalled(
            f"the packages that deployments are made with are not installed: {error.name}",
            hint="Install them: pip install 'mien[deploy]'",
        ) from error


def _handle(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[\w.~-]+", value):
        raise click.BadParameter("letters, digits and . _ ~ - only: it is part of a URL")
    return value


def _origin(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and value != "*" and not re.fullmatch(r"https?://[\w.:\[\]-]+", value):
        raise click.BadParameter("an origin is * or looks like https://example.org")
    return value


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `lambda` and `app` share."""
    for option in reversed(
        (
            click.argument("recognizer", type=click.Path(path_type=Path)),
            click.option(
                "-o",
                "--output",
                "folder",
                type=click.Path(path_type=Path),
                required=True,
                help="Folder to write; an existing deployment in it is replaced.",
            ),
            click.option(
                "--weights",
                type=click.Choice(_FORMS),
                default="int8",
                show_default=True,
                help="How the weights are stored: int8 is a quarter of float32 and as accurate.",
            ),
            click.option(
                "--handle",
                metavar="NAME",
                callback=_handle,
                help="Name of the recognizer in /classify/NAME; by default the file's name.",
            ),
            click.option(
                "--cors",
                metavar="ORIGIN",
                default="",
                callback=_origin,
                help="Origin whose pages may send requests, as https://example.org; * for all.",
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
    help="Processor architecture of the function.",
)
@click.option(
    "--image",
    is_flag=True,
    help="Write the build context of a container image, which may be larger, not a zip.",
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
    """Make an AWS Lambda function of RECOGNIZER: a zip, a SAM template and instructions.

    pip downloads the libraries for the machine that Lambda runs on.
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
    _print_sizes(model, folder, made.parts, made.limits, as_json=as_json)
    if not made.compiled:
        note(
            f"Python {python} is not installed on this machine, so the function contains no "
            "bytecode: cold starts take longer."
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
    """Make an app of RECOGNIZER, for hosts that run buildpacks or containers."""
    with _installed():
        from mien.deploy.app_folder import deploy_app  # noqa: PLC0415

    model = _stored(recognizer, weights)
    made = deploy_app(
        model, folder, handle=handle or _handle_of(recognizer), python=python, cors=cors
    )
    _print_sizes(model, folder, made.parts, made.limits, as_json=as_json)
    if made.unhashed:
        note(f"requirements.txt has versions but no digests of the packages: {made.unhashed}")


@deploy.command(epilog="\b\nExamples:\n  mien deploy page people.onnx -o page")
@click.argument("recognizer", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write; an existing deployment in it is replaced.",
)
@click.option(
    "--weights",
    type=click.Choice(_FORMS),
    default="int8",
    show_default=True,
    help="How the weights are stored: int8 is a quarter of float32 and as accurate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def page(*, recognizer: Path, folder: Path, weights: Form, as_json: bool) -> None:
    """Make a page of RECOGNIZER: static files that recognise faces in the visitor's browser.

    No server is needed, and no photo leaves the browser. The runtime is onnxruntime-web, which npm
    downloads once. Everyone who can load the page can read the names of the recognizer's people and
    the embeddings of their faces.
    """
    with _installed():
        from mien.deploy.static_page import deploy_page  # noqa: PLC0415

    model = _stored(recognizer, weights)
    with progress_bar() as progress:
        made = deploy_page(model, folder, progress)
    _print_sizes(model, folder, made.parts, made.limits, packed="as sent (gzip)", as_json=as_json)
    if not as_json:
        note(
            "Everyone who can load the page can read the names of its people and the embeddings "
            "of their faces."
        )


@deploy.command(
    epilog="\b\nExamples:\n"
    "  mien deploy check function photos/\n"
    "  mien deploy check app photos/ --recognizer people.onnx --json"
)
@click.argument("deployment", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True)
@click.option(
    "--recognizer",
    type=click.Path(path_type=Path),
    help="The recognizer it was made of; by default the library runs the file inside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(
    deployment: Path, photos: tuple[str, ...], recognizer: Path | None, as_json: bool
) -> None:
    """Run DEPLOYMENT on this machine and compare its answers on PHOTOS with the library's.

    First each file is compared with its digest in SHA256SUMS.
    Names must be equal, similarities within 0.001 and boxes within one pixel.
    """
    from mien.cli.identify import find_photos  # noqa: PLC0415
    from mien.recognizer import Recognizer  # noqa: PLC0415

    with _installed():
        from mien.deploy.check.parity import check_deployment  # noqa: PLC0415

    paths = list(find_photos(photos))
    original = Recognizer.load(recognizer) if recognizer else None
    with progress_bar() as progress:
        found = check_deployment(deployment, paths, original, progress)
    if as_json:
        print_json(found.to_dict())
    else:
        _print_parity(found, deployment)
    if found.agreement.disagreements:
        raise DeploymentDiffers(
            f"{deployment} and the library disagree {len(found.agreement.disagreements)} times",
            hint="Make it again with the same version of Mien.",
        )
    if not found.agreement.photos:
        raise NothingToMeasure("none of the photos could be compared", hint="Give other photos.")


def _stored(path: Path, weights: Form) -> Recognizer:
    from mien.recognizer import Recognizer  # noqa: PLC0415

    model = Recognizer.load(path, threads=1)
    return model if model.form == weights else model.stored_as(weights)


def _handle_of(path: Path) -> str:
    """Return a file's name in characters that a URL allows."""
    return re.sub(r"[^\w.~-]+", "-", path.stem)


def _print_sizes(
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
        print_json(
            {
                "folder": str(folder),
                "weights": model.form,
                "licences": licences,
                "parts": [asdict(part) for part in parts],
                "limits": [asdict(limit) for limit in limits],
            }
        )
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
    note(f"{folder}: README.md in it says how to deploy it")


def _print_parity(found: Parity, deployment: Path) -> None:
    agreement = found.agreement
    for sentence in agreement.disagreements[:_MAX_LISTED]:
        note(sentence)
    if len(agreement.disagreements) > _MAX_LISTED:
        note(f"and {len(agreement.disagreements) - _MAX_LISTED} more")
    for sentence in found.skipped:
        note(f"left out: {sentence}")
    if found.added:
        listed = ", ".join(found.added[:_MAX_LISTED])
        note(f"not part of the deployment as it was made: {listed}")
    out.print(
        f"{escape(str(deployment))}: {found.deployment}, "
        f"{count(agreement.photos, 'photo')}, {count(agreement.faces, 'face')}"
    )
    out.print(f"  similarities differ from the library's by at most {agreement.similarity:.1e}")
    out.print(f"  boxes differ by at most {agreement.pixels:.1e} pixels")
    if found.original is not None:
        out.print(
            f"  stored as {found.weights}, the weights move similarities by at most "
            f"{found.original:.1e}; {count(len(found.renamed), 'face')} named differently"
        )
        for sentence in found.renamed[:_MAX_LISTED]:
            note(sentence)
