"""The table of `field.py`: one row per measure, one column per library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Found = dict[str, Any]
MISSING = ""


def print_table(result: Found) -> None:
    """Print the table and the notes."""
    names = list(result["peers"])
    print("| | " + " | ".join(result["peers"][name]["title"] for name in names) + " |")
    print("|---|" + "---:|" * len(names))
    for title, cell in ROWS.items():
        cells = [_cell(cell, result, name) for name in names]
        if any(text != MISSING for text in cells):
            print(f"| {title} | " + " | ".join(cells) + " |")
    print()
    for name in names:
        if result["peers"][name]["note"]:
            print(f"- {result['peers'][name]['title']}: {result['peers'][name]['note']}")


def _cell(cell: Callable[[Found, str], str], result: Found, name: str) -> str:
    try:
        return cell(result, name)
    except KeyError:
        return MISSING


def _share(*path: str) -> Callable[[Found, str], str]:
    """Return a cell with a share and its interval in percent."""

    def cell(result: Found, name: str) -> str:
        found = _at(result, path, name)
        return (
            f"{100 * found['recall']:.2f} ({100 * found['low']:.2f} to {100 * found['high']:.2f})"
        )

    return cell


def _number(form: str, *path: str, factor: float = 1.0) -> Callable[[Found, str], str]:
    """Return a cell with a formatted number."""
    return lambda result, name: format(_at(result, path, name) * factor, form)


def _over(group: str, way: str) -> Callable[[Found, str], str]:
    """Return a cell with the ratio of Mien's faces per second to the library's."""

    def cell(result: Found, name: str) -> str:
        ratio = result["speed"][group][way]["over"][name]["faces_per_s"]
        return f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"

    return cell


def _accuracy(result: Found, name: str) -> str:
    found = result["accuracy"][name]["view2"]
    return f"{found['accuracy']:.4f} ± {found['accuracy_se']:.4f}"


def _dir(way: str) -> Callable[[Found, str], str]:
    def cell(result: Found, name: str) -> str:
        found = result["accuracy"][name]["open_set"][way]
        interval = f"{100 * found['dir_low']:.2f} to {100 * found['dir_high']:.2f}"
        return f"{100 * found['dir']:.2f} ({interval}) at FPIR {100 * found['fpir']:.2f}"

    return cell


def _at(result: Found, path: tuple[str, ...], name: str) -> Any:
    """Return the value at a path; `*` in it is replaced by the library's name."""
    found: Any = result
    for key in path:
        found = found[name if key == "*" else key]
    return found


ROWS: dict[str, Callable[[Found, str], str]] = {
    **{
        f"faces {width} px wide found on sheets, %": _share("recall", "*", "groups", str(width))
        for width in (90, 45, 30, 22, 15)
    },
    "LFW: central face found, %": _share("recall", "*", "lfw"),
    "LFW View 2, accuracy": _accuracy,
    "LFW View 2, TAR at FAR 1e-3": _number(".4f", "accuracy", "*", "view2", "tar_at_far_1e-3"),
    "open set, nearest of 3 photos: DIR, %": _dir("nearest"),
    "open set, mean of 3 photos: DIR, %": _dir("mean"),
    "LFW, one photo at a time, faces/s": _number(
        ".1f", "speed", "lfw", "single", "*", "faces_per_s"
    ),
    "Mien over it, LFW": _over("lfw", "single"),
    "LFW, all cores, faces/s": _number(".1f", "speed", "lfw", "bulk", "*", "faces_per_s"),
    "Mien over it, LFW, all cores": _over("lfw", "bulk"),
    "web photos, one at a time, faces/s": _number(
        ".1f", "speed", "ten", "single", "*", "faces_per_s"
    ),
    "Mien over it, web photos": _over("ten", "single"),
    "web photos, all cores, faces/s": _number(".1f", "speed", "ten", "bulk", "*", "faces_per_s"),
    "Mien over it, web photos, all cores": _over("ten", "bulk"),
    "memory, MB": _number(".0f", "cost", "*", "peak_bytes", factor=1e-6),
    "installed, MB": _number(".0f", "cost", "*", "installed_bytes", factor=1e-6),
    "pip install, s": _number(".0f", "cost", "*", "install_s"),
    "start to first answer, s": _number(".1f", "cost", "*", "first_answer_s"),
    "start to next answer, s": _number(".1f", "cost", "*", "next_answer_s"),
    "LFW and ten people to a recognizer, s": _number(".0f", "training", "*", "total_s"),
}
