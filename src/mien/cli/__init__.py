"""The command line: thin commands over the library.

Exit codes::

    0   done; also a server that was stopped by Ctrl-C or SIGTERM
    1   done, but some of the photos could not be used (each is named)
    2   wrong arguments
    10  a photo cannot be read                  14  a dataset or source cannot be used
    11  no usable face where one is needed      15  training is not possible
    12  weights cannot be obtained or used      16  a measurement cannot be made
    13  a recognizer file cannot be used        17  a result cannot be written
    18  a gallery cannot be used, or refuses
    19  the server cannot start, or a key is unknown
    20  a deployment cannot be made or checked
    130 interrupted
"""

from __future__ import annotations

import difflib
import importlib
import io
import sys
from collections.abc import Sequence

import click

from mien import errors
from mien.cli.console import note, report_error
from mien.cli.hints import hint_of
from mien.text import without_controls
from mien.version import __version__

EXIT_CODES: dict[type[errors.MienError], int] = {
    errors.PhotoError: 10,
    errors.FaceError: 11,
    errors.ModelError: 12,
    errors.RecognizerError: 13,
    errors.DatasetError: 14,
    errors.TrainingError: 15,
    errors.EvaluationError: 16,
    errors.OutputError: 17,
    errors.GalleryError: 18,
    errors.ServerError: 19,
    errors.DeployError: 20,
}

# command: (module, attribute, one line of help). A module is imported when its command runs, so
# that `mien --help` and `mien info` stay quick.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "dataset": (
        "mien.cli.dataset.commands",
        "dataset",
        "Turn photos of people into a clean, split dataset.",
    ),
    "train": ("mien.cli.train", "train", "Train a recognizer from a dataset."),
    "evaluate": ("mien.cli.evaluate.recognizer", "evaluate", "Measure how good a recognizer is."),
    "identify": ("mien.cli.identify", "identify", "Name the people in photos."),
    "align": ("mien.cli.identify", "align", "Crop one face of a photo, upright and scaled."),
    "verify": ("mien.cli.identify", "verify", "Say whether two photos show the same person."),
    "info": ("mien.cli.identify", "info", "Show what a recognizer file holds."),
    "gallery": (
        "mien.cli.gallery.maintenance",
        "gallery_commands",
        "Enrol, rename, merge and forget people at any time.",
    ),
    "serve": ("mien.cli.serve", "serve", "Serve an API and a page."),
    "keys": ("mien.cli.serve", "keys", "Keys of the server: create, list, revoke."),
    "audit": ("mien.cli.audit", "audit", "The server's audit trail: show, check."),
    "deploy": ("mien.cli.deploy", "deploy", "Make a function, an app or a page of a recognizer."),
    "models": ("mien.cli.models", "models", "The weights: list, show, pull, verify, add."),
}


_ALIASES = {"recognize": "identify", "recognise": "identify", "ship": "deploy"}
"""Former or other names of commands. They work, and the help does not list them."""

_FORMER = {"recognize", "ship"}
"""Names of version 0.1.0: using one prints a note."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _COMMANDS:
            close = difflib.get_close_matches(name, [*_COMMANDS, *_ALIASES])
            if close:
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {close[0]!r}?")
            return None
        if cmd_name in _FORMER:
            note(f"`mien {cmd_name}` is now `mien {name}`; the former name still works.")
        module, attribute, _ = _COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExamples:\n  mien dataset build photos/ -o people\n"
    "  mien train people -o people.onnx\n  mien identify people.onnx party.jpg --draw named.jpg",
)
@click.version_option(__version__, prog_name="mien")
def cli() -> None:
    """Recognise the faces of people you know.

    Photos of people go in; one ONNX file comes out that names them, and says "unknown" to
    strangers at an error rate you chose.
    """


def exit_code(error: errors.MienError) -> int:
    """Return the exit code of an error: that of its branch of the tree."""
    return next(code for branch, code in EXIT_CODES.items() if isinstance(error, branch))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its exit code."""
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(without_controls(shown.getvalue()), nl=False, err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        report_error("interrupted", "Run the same command again: finished work is kept.")
        code = 130
    except errors.MienError as error:
        report_error(str(error), hint_of(error))
        code = exit_code(error)
    sys.exit(code if isinstance(code, int) else 0)
