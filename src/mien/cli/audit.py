"""`mien audit`: the audit trail of a server."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json
from mien.cli.serve import DATA, data_folder
from mien.errors import NotServed, ServerError
from mien.text import count


@click.command(
    epilog="\b\nExamples:\n  mien audit\n  mien audit --json --limit 1000\n  mien audit --check\n"
    "  mien audit --check --noted 1204:9f86d081884c7d65"
)
@DATA
@click.option("--limit", default=50, show_default=True, help="Number of lines, the latest ones.")
@click.option("--check", is_flag=True, help="Check that no line was changed, added or removed.")
@click.option(
    "--noted",
    metavar="LINE[:DIGITS]",
    help="With --check: a line that an earlier check named as the last one, which must be there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(*, data: Path | None, limit: int, check: bool, noted: str | None, as_json: bool) -> None:
    """Show who was identified, signed in and refused by a server, latest first, or check the trail.

    Changes of a gallery's people are in the gallery: `mien gallery audit`. Each line has a keyed
    digest of itself and of the line before, so that a changed or removed line shows. An old copy
    of the whole trail shows only by a line that you noted elsewhere: --noted. The exit code is 19
    where a fault is found.
    """
    from mien.server.auth.audit_trail import read_file  # noqa: PLC0415
    from mien.server.auth.keys import Keys  # noqa: PLC0415

    if noted is not None and not check:
        raise click.UsageError("--noted needs --check")
    folder = data_folder(data)
    path = folder / "audit.sqlite"
    if not path.is_file():
        raise NotServed(
            f"no server has written an audit trail in {folder}",
            hint="Give the folder of the server with --data.",
        )
    secret = Keys(folder).derived("audit trail")
    if check:
        _check(path, secret, None if noted is None else _line(noted), as_json=as_json)
        return
    events = read_file(path, secret, limit)
    if as_json:
        print_json([asdict(event) for event in events])
        return
    table = Table("when", "what", Column("who", overflow="fold"), "by", "from", "", box=None)
    for event in events:
        moment = event.time[:19].replace("T", " ")
        texts = (event.person, event.key, event.address, event.detail)
        table.add_row(moment, event.action, *map(escape, texts))
    out.print(table)


def _check(path: Path, secret: bytes, noted: tuple[int, str] | None, *, as_json: bool) -> None:
    from mien.server.auth.audit_trail import check_file  # noqa: PLC0415

    found = check_file(path, secret, noted=noted)
    if as_json:
        print_json(found.to_dict())
    elif found.whole:
        older = f", lines up to {found.pruned} were pruned" if found.pruned else ""
        out.print(f"whole: {count(found.lines, 'line')}{older}")
        note(f"To check later that the last line is still there: --noted {found.last}:{found.link}")
    if not found.whole:
        raise ServerError(f"{path}: " + "; ".join(found.faults), hint=_DAMAGED)


_DAMAGED = "Compare with a copy: someone with access to the folder has changed the file."


def _line(text: str) -> tuple[int, str]:
    number, _, digits = text.partition(":")
    if not number.isdecimal() or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise click.BadParameter(
            f"{text!r} is not a line as `mien audit --check` names it", param_hint="--noted"
        )
    return int(number), digits
