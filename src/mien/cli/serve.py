"""`mien serve` and `mien keys`: the HTTP server and its API keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from mien.cli.console import note, out, print_json, print_line, progress_bar
from mien.errors import ServeNotInstalled, UnknownKey

if TYPE_CHECKING:
    from mien.server.state import Settings

DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder for keys, training jobs and the gallery  [default: the platform's data folder]",
)


def data_folder(given: Path | None) -> Path:
    """Return the given folder, or one in the platform's data folder."""
    import platformdirs  # noqa: PLC0415

    return given or platformdirs.user_data_path("mien") / "server"


OPEN_RATE = 20
"""Default limit in requests per second and key if other machines can reach the server."""


@click.command(
    epilog="\b\nExamples:\n"
    "  mien serve\n"
    "  mien serve people.onnx\n"
    "  mien serve indian-face=ten.onnx lfw-plus=people.onnx\n"
    "  mien serve --gallery office --port 8080\n"
    "  mien serve --host 0.0.0.0 --rate 20 --per-address 64 --session-idle 10"
)
@click.argument("recognizers", metavar="[HANDLE=]RECOGNIZER...", nargs=-1)
@click.option("--gallery", type=click.Path(path_type=Path), help="Folder of a gallery.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="Key of an encrypted gallery  [default: MIEN_KEY]",
)
@DATA
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port; 0 for a free one.",
)
@click.option("--allow-host", multiple=True, metavar="NAME", help="Host name to accept.")
@click.option(
    "--cors-origin", multiple=True, metavar="ORIGIN", help="Other origin to accept (CORS)."
)
@click.option("--proxy", multiple=True, metavar="IP", help="Trusted proxy; a key is then required.")
@click.option("--require-key", is_flag=True, help="Require a key on the loopback too.")
@click.option("--insecure", is_flag=True, help="Never require a key, even if keys exist.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    help="Requests per second and key, 0 for no limit  "
    f"[default: {OPEN_RATE}; no limit on the loopback without --proxy]",
)
@click.option(
    "--per-address",
    type=click.IntRange(0),
    default=320,
    show_default=True,
    help="Connections per address, 0 for no limit; with --proxy requests at once.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="MiB per request.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1, 4096),
    default=512,
    show_default=True,
    help="MiB of training photos per request, held in memory during the upload.",
)
@click.option(
    "--waiting",
    type=click.IntRange(1, 10_000),
    default=64,
    show_default=True,
    help="Photos in the queue; further ones get status 503.",
)
@click.option(
    "--session-idle",
    type=click.IntRange(0, 720),
    default=30,
    show_default=True,
    metavar="MINUTES",
    help="An unused session of the page ends then; 0: only after 12 hours.",
)
@click.option(
    "--workers", type=click.IntRange(0, 256), default=0, help="Threads  [default: one per core]"
)
def serve(
    *,
    recognizers: tuple[str, ...],
    gallery: Path | None,
    key_file: Path | None,
    data: Path | None,
    host: str,
    port: int,
    proxy: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve an API and a web page over recognizer files, a gallery, or both.

    Without either, a gallery is created in the data folder. Only this machine can reach the
    server unless --host is given; then a key is required. So it is with --proxy, and once a key
    has been created: revoking the last one does not open the server, only --insecure does.
    """
    try:
        from mien.server.run import (  # noqa: PLC0415
            Address,
            check_safe,
            listen,
            only_server,
            open_backends,
        )
        from mien.server.run import serve as run  # noqa: PLC0415
        from mien.server.state import ServerState  # noqa: PLC0415
    except ImportError as error:
        raise ServeNotInstalled(
            f"the server's packages are not installed: {error.name}",
            hint="Install them: pip install 'mien[serve]'",
        ) from error
    from mien.gallery import find_key  # noqa: PLC0415

    address = Address(host, port, proxy)
    settings = _settings(
        data_folder(data), loopback=address.loopback, proxied=bool(proxy), **options
    )
    with only_server(settings.data), listen(address) as listener:
        check_safe(address, settings)
        with progress_bar() as progress:
            backends = open_backends(
                _named(recognizers),
                gallery,
                settings.data,
                key=find_key(key_file),
                progress=progress,
            )
        state = ServerState(settings, backends)
        shown = f"[{host}]" if ":" in host else host
        note(f"Mien is at http://{shown}:{listener.getsockname()[1]}/  (Ctrl-C stops it)")
        if settings.insecure and (proxy or not address.loopback):
            note("warning: anyone who can reach it may see, change and forget people (--insecure)")
        run(state, address, listener)
    note("Mien has stopped; accepted requests are finished.")


def _settings(
    data: Path,
    *,
    loopback: bool,
    proxied: bool = False,
    allow_host: tuple[str, ...],
    cors_origin: tuple[str, ...],
    require_key: bool,
    insecure: bool,
    rate: float | None,
    per_address: int = 320,
    max_body: int,
    max_upload: int,
    waiting: int,
    workers: int,
    session_idle: int = 30,
) -> Settings:
    from mien.server.http.limits import Limits  # noqa: PLC0415
    from mien.server.state import Settings  # noqa: PLC0415

    hosts = {"localhost", "127.0.0.1", "::1"} if loopback else set()
    if hosts or allow_host:
        hosts |= {"localhost", "127.0.0.1", "::1", *(name.lower() for name in allow_host)}
    if rate is None:
        rate = 0 if loopback and not proxied else OPEN_RATE
    limits = Limits(
        body=max_body << 20, upload=max_upload << 20, waiting=waiting, per_second=rate,
        per_address=per_address,
        held=max(1 << 30, 2 * (max_upload << 20)),
    )  # fmt: skip
    return Settings(
        data,
        hosts=frozenset(hosts),
        origins=frozenset(origin.rstrip("/").lower() for origin in cors_origin),
        # Behind a proxy, requests of other machines come from this one.
        require_key=require_key or not loopback or proxied,
        insecure=insecure,
        limits=limits,
        workers=workers,
        session_idle=session_idle * 60,
    )


def _named(recognizers: tuple[str, ...]) -> dict[str, Path]:
    """Return the files by name (handle): the given one, or the file's name."""
    found: dict[str, Path] = {}
    for text in recognizers:
        handle, equals, path = text.partition("=")
        if not equals or "/" in handle:
            path = text
            handle = "-".join("".join(c if c.isalnum() else " " for c in Path(text).stem).split())
        if handle.lower() in found:
            raise click.BadParameter(f"two are called {handle}", param_hint="RECOGNIZER")
        found[handle.lower()] = Path(path)
    return found


@click.group(
    epilog="\b\nExamples:\n  mien keys create --role viewer --note 'front desk'\n"
    "  mien keys list\n  mien keys revoke 3f2a9c01"
)
def keys() -> None:
    """Create, list and revoke the server's API keys.

    A viewer may identify, an operator also enrol, correct and train, an admin everything.
    """


@keys.command(epilog="\b\nExamples:\n  mien keys create --role operator --note 'Ada, HR'")
@click.option(
    "--role",
    type=click.Choice(("viewer", "operator", "admin")),
    required=True,
    help="Role of the key.",
)
@click.option("--note", "text", default="", help="Free text, such as the owner.")
@DATA
def create(role: str, text: str, data: Path | None) -> None:
    """Create a key and print it. It is shown only once and not stored."""
    from mien.server.auth.keys import Keys, Role  # noqa: PLC0415

    made, shown = Keys(data_folder(data)).create(Role.of(role), text)
    print_line(shown)
    note(f"Key {made.id}, {role}. It is not shown again. A running server now requires a key.")


@keys.command("list", epilog="\b\nExamples:\n  mien keys list\n  mien keys list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@DATA
def list_(data: Path | None, *, as_json: bool) -> None:
    """List the keys, without their secrets."""
    from mien.server.auth.keys import Keys  # noqa: PLC0415

    folder = data_folder(data)
    found = Keys(folder).all() if folder.is_dir() else ()  # listing creates no folder
    if as_json:
        rows = [
            {
                "id": key.id,
                "role": key.role.word,
                "note": key.note,
                "created": key.created,
                "revoked": key.revoked or None,
            }
            for key in found
        ]
        print_json(rows)
        return
    table = Table("id", "role", "note", "created", "revoked", box=None)
    for key in found:
        table.add_row(key.id, key.role.word, key.note, key.created, key.revoked)
    if found:
        out.print(table)
    else:
        note(f"No key was made in {folder} yet: mien keys create --role viewer")


@keys.command(epilog="\b\nExamples:\n  mien keys revoke 3f2a9c01")
@click.argument("key_id", metavar="ID")
@DATA
def revoke(key_id: str, data: Path | None) -> None:
    """Revoke a key immediately and permanently; its sessions end."""
    from mien.server.auth.keys import Keys  # noqa: PLC0415

    folder = data_folder(data)
    if not folder.is_dir():
        raise UnknownKey(f"no key was made in {folder} yet", hint="`mien keys list` shows them.")
    Keys(folder).revoke(key_id)
    note(f"Key {key_id} is revoked.")
    if not Keys(folder).has_valid_key:
        note("It was the last valid key: requests are refused until you create another one.")
