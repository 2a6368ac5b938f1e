"""Exit codes of the process, and the error that it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mien import __version__, cli, errors
from mien.cli import EXIT_CODES, main


@pytest.fixture
def ends(capfd):
    """Return ends(*arguments): exit code, standard output and standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        return left.value.code, *capfd.readouterr()

    return call


@pytest.fixture
def raising(monkeypatch):
    """Return a function that makes `mien info` raise an error."""

    def arrange(error):
        @click.command()
        @click.argument("recognizer")
        def info(recognizer):  # noqa: ARG001
            raise error

        class Module:
            pass

        Module.info = info
        monkeypatch.setattr(cli.importlib, "import_module", lambda _: Module)

    return arrange


@pytest.mark.parametrize(("branch", "code"), EXIT_CODES.items())
def test_errors_end_with_their_code_and_say_what_to_do(ends, raising, branch, code):
    raising(branch("[red]what[/red] happened", hint="Do [this]."))
    ended, out, err = ends("info", "x")
    assert ended == code
    assert out == ""
    assert "error: [red]what[/red] happened" in err
    assert "Do [this]." in err
    assert "Traceback" not in err


def test_a_long_message_stays_on_its_line(ends, raising):
    path = "/".join(["folder"] * 60)
    raising(errors.OutputError(f"cannot write {path}"))
    assert path in ends("info", "x")[2]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupted(ends, raising, error):
    raising(error)
    code, _, err = ends("info", "x")
    assert code == 130
    assert "interrupted" in err


def test_a_bug_is_not_hidden(raising):
    raising(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        main(["info", "x"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("recognize",),
        ("identify", "people.onnx"),
        ("info", "a", "--no-such-option"),
        ("align", "a.jpg", "-o", "b.jpg", "--size", "huge"),
        ("models", "no-such-command"),
    ],
)
def test_a_wrong_command_line_is_2(ends, arguments):
    code, out, err = ends(*arguments)
    assert code == 2
    assert out == ""
    assert "Usage: " in err


@pytest.mark.parametrize(
    ("alias", "name"), [("recognize", "identify"), ("recognise", "identify"), ("ship", "deploy")]
)
def test_former_names_of_commands_work_and_are_not_listed(ends, alias, name):
    code, out, err = ends(alias, "--help")
    assert code == 0
    assert out.replace(f" {alias} ", f" {name} ", 1) == ends(name, "--help")[1]
    former = alias != "recognise"  # never was the name
    assert (f"`mien {alias}` is now `mien {name}`" in err) == former
    assert f" {alias} " not in ends("--help")[1]


def test_version_and_help_are_0(ends):
    assert ends("--version")[:2] == (0, f"mien, version {__version__}\n")
    assert ends("--help")[0] == 0
    assert ends("-h")[0] == 0


def test_as_a_module_and_as_a_script():
    for command in ([sys.executable, "-m", "mien"], [f"{sys.prefix}/bin/mien"]):
        done = subprocess.run(
            [*command, "info", "no-such-file.onnx"], capture_output=True, text=True, check=False
        )
        assert done.returncode == EXIT_CODES[errors.RecognizerError]
        assert "no-such-file.onnx" in done.stderr
        assert done.stdout == ""


def test_the_readme_lists_the_exit_codes():
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    (listed,) = re.findall(r"(?s)\*\*Exit codes\*\*.*?\n\n", text)
    numbers = {int(number) for number in re.findall(r"\b\d+\b", listed)}
    assert numbers == {0, 1, 2, 130, *EXIT_CODES.values()}


@pytest.mark.parametrize("kind", ["lambda", "app", "page"])
def test_hint_without_the_packages_of_deploy_names_the_extra(tmp_path, kind):
    code = "import sys; sys.modules['python_multipart'] = None; from mien.cli import main; main()"
    command = [sys.executable, "-c", code, "deploy", kind, "people.onnx", "-o", tmp_path / "made"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 20
    assert "pip install 'mien[deploy]'" in done.stderr


def test_a_mistyped_command_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as left:
        main(["identfy", "people.onnx", "party.jpg"])
    assert left.value.code == 2
    assert "Did you mean 'identify'?" in capsys.readouterr().err
