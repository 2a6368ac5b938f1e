"""Python packages of a deployment: version, licence and the digests of their wheels."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from importlib import metadata
from pathlib import Path
from typing import Protocol, Self


class MetadataFields(Protocol):
    """The metadata fields of a package, as `importlib.metadata` gives them."""

    def get_all(self, name: str) -> list[str] | None:
        """Return the values of a field, or None."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Python package that a deployment contains or installs.

    Attributes:
        name: normalised as in PEP 503: "pi-heif".
        version: exact; empty where it is not known.
        licence: SPDX expression, or the text that the package states; empty where it states none.
        sha256: digests of its wheels, one for each kind of machine, sorted.
    """

    name: str
    version: str
    licence: str
    sha256: tuple[str, ...] = ()

    @classmethod
    def of_wheel(cls, wheel: Path) -> Self:
        """Return what a wheel states about itself, with the wheel's digest."""
        name, version = wheel.name.split("-")[:2]
        with zipfile.ZipFile(wheel) as archive:
            fields = BytesHeaderParser().parsebytes(
                archive.read(f"{name}-{version}.dist-info/METADATA")
            )
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return cls(normalised(name), version, licence_of(fields), (digest,))

    @classmethod
    def installed(cls, name: str) -> Self:
        """Return the package that is installed on this machine; without a version if none is."""
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return cls(normalised(name), "", "")
        return cls(normalised(name), found.version, licence_of(found.metadata))


def normalised(name: str) -> str:
    """Return a package's name in the normal form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(fields: MetadataFields | Message) -> str:
    """Return the licence that a package's metadata state, in one line; empty for none."""
    for field in ("License-Expression", "License"):
        text = " ".join((fields.get_all(field) or [""])[0].split())
        if 0 < len(text) < 100 and text.lower() != "unknown":
            return text
    classified = [
        classifier.rpartition(" :: ")[2]
        for classifier in fields.get_all("Classifier") or []
        if classifier.startswith("License ::")
    ]
    return ", ".join(classified)
