"""Software bill of materials of a deployment, in CycloneDX 1.6 as JSON.

It lists Mien, the libraries, the models, their licences and digests, and no name of a person. Equal
deployments give equal files: the serial number is made of the content, and there is a time only
where `SOURCE_DATE_EPOCH` sets one (reproducible-builds.org).

Source of the format: ECMA-424, https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from mien.deploy.packaging.distributions import Distribution
from mien.deploy.packaging.npm import NpmPackage
from mien.recognizer import Recognizer
from mien.recognizer.metadata import Weights
from mien.version import __version__

MATERIALS: Final = "bom.cdx.json"
"""Name of the file."""

# fmt: off
_SPDX_IDS = frozenset((
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "HPND", "ISC",
    "LGPL-3.0-only", "MIT", "MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Zlib",
))
# fmt: on
"""Licences that are written as SPDX ids; others are written as the text that their owner states."""

_ROOT, _MIEN, _RECOGNIZER = "deployment", "mien", "recognizer"

Component = dict[str, Any]


def materials(
    recognizer: Recognizer,
    *,
    kind: str,
    handle: str,
    distributions: Sequence[Distribution] = (),
    packages: Sequence[NpmPackage] = (),
    fonts: Sequence[tuple[str, str, bytes]] = (),
) -> bytes:
    """Return the bill of materials of a deployment.

    Args:
        recognizer: in the form that the deployment contains.
        kind: of the deployment: lambda, app or page.
        handle: name of the recognizer.
        distributions: the Python packages that it contains, or that its host installs.
        packages: the npm packages that it contains.
        fonts: name, SPDX licence and bytes of each font that it contains.
    """
    about = recognizer.about
    weights = [_weights(each) for each in (about.detector, about.embedder)]
    libraries = [
        *map(_distribution, distributions),
        *map(_package, packages),
        *(_font(*font) for font in fonts),
    ]
    parts = [_mien(), _recognizer_file(recognizer), *weights, *libraries]
    refs = [part["bom-ref"] for part in libraries]
    bill: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **_timestamp(),
            "tools": {"components": [{"type": "application", "name": "mien deploy"}]},
            "component": {
                "type": "application",
                "bom-ref": _ROOT,
                "name": handle,
                "properties": [{"name": "mien:deployment", "value": kind}],
            },
        },
        "components": sorted(parts, key=lambda part: str(part["bom-ref"])),
        "dependencies": [
            {"ref": _ROOT, "dependsOn": sorted([_MIEN, _RECOGNIZER])},
            {"ref": _MIEN, "dependsOn": sorted(refs)},
            {"ref": _RECOGNIZER, "dependsOn": sorted({part["bom-ref"] for part in weights})},
        ],
    }
    bill["serialNumber"] = _serial(bill)
    return (json.dumps(bill, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _timestamp() -> dict[str, str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch.isdecimal():
        return {}
    return {"timestamp": datetime.fromtimestamp(int(epoch), UTC).isoformat()}


def _serial(bill: Any) -> str:
    digest = hashlib.sha256(json.dumps(bill, sort_keys=True).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5).urn


def _mien() -> Component:
    return {
        "type": "library",
        "bom-ref": _MIEN,
        "name": "mien",
        "version": __version__,
        "licenses": _licences("Apache-2.0"),
    }


def _recognizer_file(recognizer: Recognizer) -> Component:
    return {
        "type": "machine-learning-model",
        "bom-ref": _RECOGNIZER,
        "name": "recognizer.onnx",
        "description": "Models and embeddings of people in one ONNX file. Biometric data.",
        "hashes": [_sha256(hashlib.sha256(recognizer.to_bytes()).hexdigest())],
        "properties": [
            {"name": "mien:weights", "value": recognizer.form},
            {"name": "mien:made-with", "value": recognizer.about.version},
        ],
    }


def _weights(weights: Weights) -> Component:
    """Return a model's component; the digest is that of the published file."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{weights.id}",
        "name": weights.id,
        "publisher": weights.publisher,
        "hashes": [_sha256(weights.sha256)],
        "licenses": _licences(weights.licence),
        "properties": [{"name": "mien:trained-on", "value": weights.trained_on}],
    }


def _distribution(found: Distribution) -> Component:
    purl = f"pkg:pypi/{found.name}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": found.name,
        "purl": f"{purl}@{found.version}" if found.version else purl,
        **({"version": found.version} if found.version else {}),
        **({"hashes": [_sha256(digest) for digest in found.sha256]} if found.sha256 else {}),
        **({"licenses": _licences(found.licence)} if found.licence else {}),
    }


def _package(package: NpmPackage) -> Component:
    """Return an npm package's component; the digest is that of its archive."""
    purl = f"pkg:npm/{package.name}"
    digest = base64.b64decode(package.sha512).hex()
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": f"{purl}@{package.version}",
        "hashes": [{"alg": "SHA-512", "content": digest}],
        "licenses": _licences(package.licence),
    }


def _font(name: str, licence: str, data: bytes) -> Component:
    return {
        "type": "file",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [_sha256(hashlib.sha256(data).hexdigest())],
        "licenses": _licences(licence),
    }


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _licences(text: str) -> list[dict[str, Any]]:
    """Return a licence as CycloneDX writes it: an SPDX id, an SPDX expression, or a text."""
    if text in _SPDX_IDS:
        return [{"license": {"id": text}}]
    words = text.replace("(", " ").replace(")", " ").split()
    if words and all(word in _SPDX_IDS or word in {"AND", "OR"} for word in words):
        return [{"expression": text}]
    return [{"license": {"name": text}}]
