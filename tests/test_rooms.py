"""The rooms: what may import what, and what must not be loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mien

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numpy", "PIL", "pi_heif", "onnx", "onnxruntime", "rich", "click")


def loaded_after(code: str, *watched: str) -> set[str]:
    """Return which of the modules `watched` a new process has loaded after running `code`."""
    script = f"{code}\nimport sys\nprint(*(set(sys.modules) & {set(watched)!r}), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stderr.split())


def test_importing_mien_loads_nothing_heavy():
    assert loaded_after("import mien; mien.__version__; dir(mien)", *HEAVY) == set()


def test_errors_and_a_photo_do_not_load_a_runtime():
    code = "from mien import MienError, read_photo, Photo"
    assert loaded_after(code, "onnx", "onnxruntime", "rich", "click") == set()


def test_a_recognizer_is_loaded_and_run_without_the_means_to_make_one():
    code = "from mien import Recognizer, read_photo"
    assert loaded_after(code, "onnx", "google.protobuf", "rich", "click", "tomllib") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["models", "--help"]])
def test_help_is_quick(arguments):
    code = (
        "from mien.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as left:\n"
        "    assert not left.code"
    )
    assert loaded_after(code, "onnx", "onnxruntime") == set()


def test_every_public_name_is_there():
    for name in mien.__all__:
        assert getattr(mien, name).__doc__ or name == "__version__"
        assert name in dir(mien)
    assert len(set(mien.__all__)) == len(mien.__all__)
    listed = {name for names in mien._ROOMS.values() for name in names}
    assert listed | {"__version__"} == set(mien.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mien.nonsense


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(mien.__file__).read_text(encoding="utf-8"))
    seen = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mien.")
        for alias in node.names
    }
    listed = {(f"mien.{room}", name) for room, names in mien._ROOMS.items() for name in names}
    assert seen == listed | {("mien.version", "__version__")}


def test_a_room_imports_only_rooms_above_it():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_command_line_talks_to_a_terminal():
    """Only `cli` uses click and rich; only `session` runs onnxruntime."""
    for path in sorted((ROOT / "src" / "mien").rglob("*.py")):
        room = path.relative_to(ROOT / "src" / "mien").parts[0]
        modules = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in _imported(node)
        }
        if room not in {"cli", "__main__.py"}:
            assert not modules & {"click", "rich"}, path
        if room != "session.py":
            assert "onnxruntime" not in modules, path
        assert not modules & {"pickle", "shelve", "marshal", "joblib"}, path


def test_no_module_reads_a_name_of_the_package_root():
    """The version comes from `mien.version`; only submodules are imported from the root."""
    package = ROOT / "src" / "mien"
    submodules = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert all(alias.name != "mien" for alias in node.names), path
            if isinstance(node, ast.ImportFrom) and node.module == "mien":
                assert {alias.name for alias in node.names} <= submodules, path


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
