"""Static page deployment: a folder of files that recognises faces in the visitor's browser.

It is the page of `mien serve` with another engine: one that runs the recognizer file in the browser
and sends no request. The folder::

    OUT/
      index.html, *.js, style/, views/…   the page, with a policy that blocks other hosts
      engine-local.js, local/             the engine in the browser
      runtime/                            onnxruntime-web
      recognizer/                         the recognizer file, split where it is large
      sw.js                               service worker: the page without the network
      ship.json                           settings, and every file with its digest
      _headers                            HTTP headers, for the static hosts that read this file
      LICENCES.txt, README.md
      bom.cdx.json, SHA256SUMS            bill of materials; digest of each file
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

from mien.deploy.packaging.bill_of_materials import MATERIALS, materials
from mien.deploy.packaging.contents import template, weights_licences
from mien.deploy.packaging.digests import DIGESTS
from mien.deploy.packaging.folder import write_deployment
from mien.deploy.packaging.npm import ONNXRUNTIME_WEB, package_files
from mien.deploy.packaging.sizes import STATIC_FILE, Limit, Part, check_limits, parts_of
from mien.deploy.service.core import SETTINGS, deployment_fields
from mien.graph.extra_people import extra_people_graph
from mien.recognizer import Recognizer
from mien.types import Progress, silent
from mien.version import __version__

HEADERS_FILE = "_headers"
FORMAT = 1
_LICENCES, _README = "LICENCES.txt", "README.md"
_NOT_LOADED = (HEADERS_FILE, _README)
"""Files that no browser loads."""

PART_BYTES = 24 << 20
"""Larger recognizers are split into parts of this size: see `sizes.STATIC_FILE`."""

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
"""Content-Security-Policy: the page may only read its own files."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    # These two headers let a page share memory between threads.
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
"""Similarities for which the page stores the false positive rate."""


@dataclass(frozen=True, slots=True)
class DeployedPage:
    """A page deployment that was written.

    Attributes:
        folder: its path.
        version: hash of the content; a browser caches one complete version.
        files: bytes by path.
        parts: sizes of what a browser loads; `packed` is the size with gzip, as hosts send it.
        limits: the hosts' size limits and the page's sizes.
    """

    folder: Path
    version: str
    files: Mapping[str, int]
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...]


def deploy_page(recognizer: Recognizer, out: Path, progress: Progress = silent) -> DeployedPage:
    """Write a page deployment; an existing one in `out` is replaced as a whole.

    Args:
        recognizer: with its weights stored in the form that the page gets.
        out: the folder to write.
        progress: called before npm runs.

    Raises:
        PartsMissing: onnxruntime-web is not available.
        NotADeployment: `out` exists and is not a deployment.
        DeploymentTooLarge: a file exceeds the limit of static hosts.
        OutputError: the folder cannot be written.
    """
    runtime = package_files(ONNXRUNTIME_WEB, list(_RUNTIME.values()), progress)
    files = dict(_page_files())
    files |= {path: runtime[member] for path, member in _RUNTIME.items()}
    files |= dict(_engine_files())
    described, recognizer_files = _recognizer_files(recognizer)
    files |= recognizer_files
    files[_LICENCES] = _licences_text(recognizer).encode()
    worker = files.pop("sw.js").decode()
    version = _add_index_files(files, worker, described)
    loaded = {path: len(data) for path, data in files.items() if path not in _NOT_LOADED}
    packed = {path: _gzip_bytes(files[path]) for path in loaded}
    files[_README] = template("README.page.md")
    files[MATERIALS] = materials(
        recognizer,
        kind="page",
        handle="page",
        packages=[ONNXRUNTIME_WEB],
        fonts=[(path, "OFL-1.1", files[path]) for path in files if path.endswith(".woff2")],
    )
    largest = max(len(data) for data in files.values())
    limits = (Limit("the largest file", largest, STATIC_FILE),)
    check_limits(limits, hint="Report this: files are split before they are so large.")
    files = write_deployment(out, files, SETTINGS)
    sizes = {path: len(data) for path, data in sorted(files.items())}
    return DeployedPage(out, version, sizes, tuple(parts_of(loaded, packed)), limits)


def _add_index_files(files: dict[str, bytes], worker: str, described: Mapping[str, Any]) -> str:
    """Add the files that list all others; return the version, a hash of the content."""
    digests = {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)}
    version = hashlib.sha256(json.dumps([digests, worker, HEADERS]).encode()).hexdigest()[:16]
    settings = {
        "format": FORMAT,
        **deployment_fields("page"),
        "mien": __version__,
        "version": version,
        "digests": DIGESTS,
        "runtime": {
            "name": ONNXRUNTIME_WEB.name,
            "version": ONNXRUNTIME_WEB.version,
            "wasm": "runtime/ort-wasm-simd-threaded.wasm",
            "glue": "runtime/ort-wasm-simd-threaded.mjs",
        },
        **described,
        "files": {
            path: {"bytes": len(files[path]), "sha256": digest} for path, digest in digests.items()
        },
    }
    files[SETTINGS] = _json(settings)
    digests[SETTINGS] = hashlib.sha256(files[SETTINGS]).hexdigest()
    for key, value in (("version", version), ("files", digests), ("headers", HEADERS)):
        worker = worker.replace('"{{' + key + '}}"', json.dumps(value, indent=1))
    files["sw.js"] = worker.encode()
    files[HEADERS_FILE] = headers_text().encode()
    return version


def _gzip_bytes(data: bytes) -> int:
    """Return how many bytes a host sends for a file: compressed, where that is smaller."""
    return min(len(data), len(zlib.compress(data, 6)))


def headers_text() -> str:
    """Return the text of the `_headers` file, which several static hosts read."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]
    for path, value in _CACHED.items():
        lines += [path, f"  Cache-Control: {value}"]
    return "\n".join(lines) + "\n"


def _page_files() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the server's page, adapted to a static host."""
    page = importlib.resources.files("mien") / "server" / "page"
    for path, data in _tree(page):
        if path == "index.html":
            yield path, _for_static_host(data.decode()).encode()
        else:
            yield path, data


def _engine_files() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the engine in the browser, which replace some of the page's."""
    yield from _tree(importlib.resources.files("mien") / "deploy" / "static")


def _tree(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _tree(entry, f"{prefix}{entry.name}/")
        # Some hosts turn Markdown into pages and do not serve the file itself.
        elif not entry.name.startswith(".") and not entry.name.endswith(".md"):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _for_static_host(html: str) -> str:
    """Return the page without the link to the API, and with the policy in a meta element.

    The meta element is for hosts that do not send the headers.
    """
    html = re.sub(r",\s+or use the API:[^<]*<a [^>]*>[^<]*</a>", "", html)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {meta}', 1)


def _recognizer_files(recognizer: Recognizer) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the settings that describe the recognizer, and its files by path."""
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
    described = {
        "parts": list(parts),
        "bytes": len(model),
        "prototypes": {
            "offset": _offset(model, stored),
            "dimension": head.prototypes.shape[1],
            "people": head.prototypes.shape[0],
        },
        "max_long_side": recognizer.max_long_side,
        "strangers": _strangers(recognizer),
        "about": recognizer.info(),
    }
    settings = {
        "weights": recognizer.form,
        "sha256": digest,
        "recognizer": described,
        "compare": {"path": compare_path},
    }
    return settings, {**parts, compare_path: compare}


def _strangers(recognizer: Recognizer) -> dict[str, Any] | None:
    """Return the false positive rate at each similarity of `_GRID`; None if it is not known."""
    statistics = recognizer.statistics
    if statistics is None or statistics.impostors is None:
        return None
    rates = statistics.impostors.false_positive_rates(
        _GRID - recognizer.policy.shift, recognizer.head.photos
    )
    rounded = [float(f"{rate:.4g}") for rate in rates]
    return {"least": float(_GRID[0]), "step": _STEP, "rates": rounded}


def _offset(model: bytes, stored: bytes) -> int:
    """Return the offset in bytes of the prototypes in the file; the page reads them there."""
    offset = model.find(stored)
    if offset < 0:
        raise AssertionError("the recognizer file does not contain its prototypes as raw bytes")
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
