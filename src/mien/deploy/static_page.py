"""A folder of static files that recognises faces in the visitor's browser.

The page is that of the server; where there its engine asks a server, here it runs the recognizer
file itself. What is written::

    OUT/
      index.html, *.js, style/, views/…   the page, with a policy that forbids other addresses
      engine-local.js, local/             the engine in the browser
      runtime/                            onnxruntime-web
      recognizer/                         the recognizer file, in parts where it is large
      sw.js                               serves all of it without the network
      ship.json                           every file with its digest, and where things are
      _headers                            for static hosts that read such a file
      LICENCES.txt, README.md
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from mien.deploy.packaging.contents import template, weights_licences
from mien.deploy.packaging.folder import replacing
from mien.deploy.packaging.npm import ONNXRUNTIME_WEB, package_files
from mien.deploy.packaging.sizes import STATIC_FILE, Limit, Part, check_limits, parts_of
from mien.graph.extra_people import extra_people_graph
from mien.recognizer import Recognizer
from mien.types import Progress, silent
from mien.version import __version__

SHIP = "ship.json"
HEADERS_FILE = "_headers"
FORMAT = 1
_LICENCES, _README = "LICENCES.txt", "README.md"
_UNSEEN = (HEADERS_FILE, _README)
"""What no visitor's browser loads."""

PART_BYTES = 24 << 20
"""Larger recognizers are split: see `mien.deploy.packaging.sizes.STATIC_FILE`."""

_RUNTIME = {
    "runtime/ort.wasm.min.mjs": "dist/ort.wasm.min.mjs",
    "runtime/ort-wasm-simd-threaded.mjs": "dist/ort-wasm-simd-threaded.mjs",
    "runtime/ort-wasm-simd-threaded.wasm": "dist/ort-wasm-simd-threaded.wasm",
}

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What the page may do: nothing but read its own files."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    # These two let a page share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_CACHED = {
    "/recognizer/*": "public, max-age=31536000, immutable",
    "/sw.js": "no-cache",
    "/index.html": "no-cache",
    "/ship.json": "no-cache",
}

_STEP = 0.01
_GRID = (np.arange(-20, 101) * _STEP).astype(np.float32)
"""Similarities for which the page knows how often a stranger gets them."""


@dataclass(frozen=True, slots=True)
class DeployedPage:
    """What was written.

    Attributes:
        folder: where.
        version: hash of the content: a visitor's browser keeps one version whole.
        files: bytes of each file by its path.
        parts: of what a visitor's browser loads; packed is as hosts send it, with gzip.
        limits: of static hosts, and how near it is.
    """

    folder: Path
    version: str
    files: Mapping[str, int]
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...]


def deploy_page(recognizer: Recognizer, out: Path, progress: Progress = silent) -> DeployedPage:
    """Write the folder; an earlier one is replaced as a whole.

    Args:
        recognizer: whose file goes with it, its weights in the form they have there.
        out: the folder.
        progress: told when npm is at work.

    Raises:
        PartsMissing: onnxruntime-web cannot be had.
        NotADeployment: `out` is there and is something else.
        DeploymentTooLarge: a file is over what static hosts take.
        OutputError: it cannot be written.
    """
    runtime = package_files(ONNXRUNTIME_WEB, list(_RUNTIME.values()), progress)
    files = dict(_page_files())
    files |= {path: runtime[member] for path, member in _RUNTIME.items()}
    files |= dict(_own_files())
    told, recognizer_files = _recognizer_files(recognizer)
    files |= recognizer_files
    files[_LICENCES] = _licences_text(recognizer).encode()
    worker = files.pop("sw.js").decode()
    version = _finish(files, worker, told)
    loaded = {path: len(data) for path, data in files.items() if path not in _UNSEEN}
    packed = {path: _sent(files[path]) for path in loaded}
    files[_README] = template("README.page.md")
    largest = max(len(data) for data in files.values())
    limits = (Limit("the largest file", largest, STATIC_FILE),)
    check_limits(limits, hint="Report this: files are split before they are so large.")
    with replacing(out, SHIP) as folder:
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    sizes = {path: len(data) for path, data in sorted(files.items())}
    return DeployedPage(out, version, sizes, tuple(parts_of(loaded, packed)), limits)


def _finish(files: dict[str, bytes], worker: str, told: Mapping[str, Any]) -> str:
    """Add the files that tell of all others, and return the version: a hash of the content."""
    digests = {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)}
    version = hashlib.sha256(json.dumps([digests, worker, HEADERS]).encode()).hexdigest()[:16]
    ship = {
        "format": FORMAT,
        "vessel": "page",
        "mien": __version__,
        "version": version,
        "runtime": {
            "name": ONNXRUNTIME_WEB.name,
            "version": ONNXRUNTIME_WEB.version,
            "wasm": "runtime/ort-wasm-simd-threaded.wasm",
            "glue": "runtime/ort-wasm-simd-threaded.mjs",
        },
        **told,
        "files": {
            path: {"bytes": len(files[path]), "sha256": digest} for path, digest in digests.items()
        },
    }
    files[SHIP] = _json(ship)
    digests[SHIP] = hashlib.sha256(files[SHIP]).hexdigest()
    for key, value in (("version", version), ("files", digests), ("headers", HEADERS)):
        worker = worker.replace('"{{' + key + '}}"', json.dumps(value, indent=1))
    files["sw.js"] = worker.encode()
    files[HEADERS_FILE] = headers_text().encode()
    return version


def _sent(data: bytes) -> int:
    """Return how many bytes a host sends for a file; one that gains nothing is sent as it is."""
    return min(len(data), len(zlib.compress(data, 6)))


def headers_text() -> str:
    """Return the `_headers` file that several static hosts read."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]
    for path, value in _CACHED.items():
        lines += [path, f"  Cache-Control: {value}"]
    return "\n".join(lines) + "\n"


def _page_files() -> Iterator[tuple[str, bytes]]:
    """Yield the page of the server with the engine in the browser in the server's place."""
    page = importlib.resources.files("mien") / "server" / "page"
    for path, data in _tree(page):
        if path == "index.html":
            yield path, _for_here(data.decode()).encode()
        else:
            yield path, data


def _own_files() -> Iterator[tuple[str, bytes]]:
    """Yield what only the static page has."""
    yield from _tree(importlib.resources.files("mien") / "deploy" / "static")


def _tree(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _tree(entry, f"{prefix}{entry.name}/")
        # Some hosts make pages of Markdown and do not serve the file itself.
        elif not entry.name.startswith(".") and not entry.name.endswith(".md"):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _for_here(html: str) -> str:
    """Return the page without what only a server has, and with the policy in itself.

    That is for hosts that send no headers.
    """
    html = re.sub(r",\s+or use the API:[^<]*<a [^>]*>[^<]*</a>", "", html)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {meta}', 1)


def _recognizer_files(recognizer: Recognizer) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what ship.json says of the recognizer, and its files."""
    model = recognizer.to_bytes()
    digest = hashlib.sha256(model).hexdigest()
    name = f"recognizer/{digest[:16]}.onnx"
    cut = range(0, len(model), PART_BYTES)
    parts = {
        name if len(cut) == 1 else f"{name}.{number}": model[start : start + PART_BYTES]
        for number, start in enumerate(cut)
    }
    head = recognizer.head
    compare = extra_people_graph(head).SerializeToString(deterministic=True)
    compare_path = f"recognizer/compare-{hashlib.sha256(compare).hexdigest()[:16]}.onnx"
    stored = np.ascontiguousarray(head.prototypes.T).tobytes()
    told = {
        "parts": list(parts),
        "bytes": len(model),
        "prototypes": {
            "offset": _offset(model, stored),
            "dimension": head.prototypes.shape[1],
            "people": head.prototypes.shape[0],
        },
        "enough": recognizer.max_long_side,
        "strangers": _strangers(recognizer),
        "about": recognizer.info(),
    }
    ship = {
        "weights": recognizer.form,
        "sha256": digest,
        "recognizer": told,
        "compare": {"path": compare_path},
    }
    return ship, {**parts, compare_path: compare}


def _strangers(recognizer: Recognizer) -> dict[str, Any] | None:
    """Return how often a stranger reaches each similarity; None where it is not known."""
    statistics = recognizer.statistics
    if statistics is None or statistics.impostors is None:
        return None
    rates = statistics.impostors.false_positive_rates(_GRID, recognizer.head.photos)
    rounded = [float(f"{rate:.4g}") for rate in rates]
    return {"least": float(_GRID[0]), "step": _STEP, "rates": rounded}


def _offset(model: bytes, stored: bytes) -> int:
    """Return where the prototypes lie in the file: the page reads them from there."""
    offset = model.find(stored)
    if offset < 0:
        raise AssertionError("a recognizer holds its prototypes as they are")
    return offset


def _licences_text(recognizer: Recognizer) -> str:
    lines = ["Mien itself: Apache-2.0", ""]
    lines += [f"{name}: {licence}\n" for name, licence in weights_licences(recognizer).items()]
    web = ONNXRUNTIME_WEB
    lines += [f"{web.name} {web.version}: {web.licence}, see licences/onnxruntime-web.txt"]
    lines += ["the page's fonts: see fonts/OFL.txt"]
    return "\n".join(lines) + "\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
