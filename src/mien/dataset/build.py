"""Build a dataset from sources, or write it again from its own ledger."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mien.dataset.audit.contact_sheet import contact_sheet
from mien.dataset.audit.review_page import PAGE, write_review
from mien.dataset.curate import SplitRule, curate
from mien.dataset.extract import VERSION, extract
from mien.dataset.sources.folders import FolderSource
from mien.dataset.sources.layout import Item, Survey
from mien.dataset.sources.merge import Merged, merge
from mien.dataset.sources.source import Load, Source
from mien.dataset.sources.specs import open_sources
from mien.dataset.storage.dataset_card import describe, readme
from mien.dataset.storage.dataset_folder import (
    CROPS,
    array_bytes,
    finish_move,
    publish,
    remove_stale_crops,
    write_crops,
    writing,
)
from mien.dataset.storage.decisions import read_decisions
from mien.dataset.storage.entries import write_manifest
from mien.dataset.storage.ledger import LEDGER, Ledger, check_version, only_builder
from mien.dataset.storage.opened_dataset import (
    CARD,
    EMBEDDINGS,
    MANIFEST,
    MIRRORED,
    NEXT,
    Dataset,
    statistics_of,
)
from mien.dataset.storage.records import MarginCrop, Occurrence
from mien.engine import Engine, FaceEngine
from mien.errors import EmptyDataset, NotADataset, OutputError, UnusableSource
from mien.files import is_folder, path_exists, real_path
from mien.graph.settings import DetectionSettings
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, ModelCard
from mien.names import readable
from mien.policy.similarity_limits import CleaningLimits
from mien.types import Progress, silent
from mien.version import __version__


class DatasetEngine(FaceEngine, Protocol):
    """The part of `mien.engine.Engine` that a build needs."""

    @property
    def settings(self) -> DetectionSettings:
        """Detection settings."""

    @property
    def detector_card(self) -> ModelCard:
        """Card of the detector."""

    @property
    def embedder_card(self) -> ModelCard:
        """Card of the embedder."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a build.

    Attributes:
        rule: how to split.
        keep_apart: the same name in two sources is two people.
        margin: also write crops with this margin; None for aligned crops only.
        jobs: threads; 0 for as many as there are cores.
        max_members: an archive with more members is refused; None for two million.
    """

    rule: SplitRule = field(default_factory=SplitRule)
    keep_apart: bool = False
    margin: MarginCrop | None = None
    jobs: int = 0
    max_members: int | None = None

    def __post_init__(self) -> None:
        if self.jobs < 0:
            raise ValueError(f"jobs is a number of threads, got {self.jobs}")
        if self.margin is not None and not isinstance(self.margin, MarginCrop):
            raise TypeError(f"margin is a MarginCrop, not {self.margin!r:.80}")
        # Stored as JSON, which has no NumPy numbers.
        object.__setattr__(self, "keep_apart", bool(self.keep_apart))


def build_dataset(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    train_share: float = 0.7,
    seed: int = 0,
    keep_apart: bool = False,
    flip_singletons: bool = False,
    margin: MarginCrop | None = None,
    jobs: int = 0,
    max_members: int | None = None,
    embedder: str = DEFAULT_EMBEDDER,
    detector: str = DEFAULT_DETECTOR,
    detection_size: int | None = None,
    engine: DatasetEngine | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Turn photos of people into a clean, aligned, split dataset: `mien dataset build`.

    Finished work is kept: a build that was interrupted continues when it is called again.

    Example:
        `mien.build_dataset("photos", "people", train_share=0.8)`

    Args:
        sources: one source or several: a folder with a folder per person, an archive of that, a
            CSV file with the columns path and person, `lfw` or `lfw:PATH`.
        output: the dataset's folder.
        train_share: share of each person's photos to train on, in (0, 1); the rest is for
            validation.
        seed: random seed of the split.
        keep_apart: the same name in two sources is two people, not one.
        flip_singletons: a leak, to reproduce an old figure: hold out the mirrored copy of a
            person's only photo.
        margin: also write unaligned crops.
        jobs: threads; 0 for as many as there are cores.
        max_members: an archive with more members is refused; None for two million.
        embedder: id of a model card.
        detector: id of a model card.
        detection_size: long side in pixels at which photos are searched for faces.
        engine: an open engine in place of the last three.
        progress: called after each photo.

    Raises:
        SourceNotFound, UnusableSource, UnsafeArchive: a source cannot be used.
        EmptyDataset: no face found in any photo of the sources.
        DatasetBusy: another process is building there.
        OutputError: the folder cannot be written, or holds other files.
        ModelError: the models are not available.
        ValueError: the share is not in (0, 1), or another option is out of range.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    specs = [os.fspath(source) for source in given]
    rule = SplitRule(share=train_share, seed=seed, flip_singletons=flip_singletons)
    options = Options(rule, keep_apart, margin, jobs, max_members)
    open_sources(specs, progress)  # a mistyped path is reported before any weights are pulled
    if engine is None:
        settings = DetectionSettings(
            **{} if detection_size is None else {"max_side": detection_size}
        )
        engine = Engine.open(
            embedder=embedder, detector=detector, settings=settings, threads=1, progress=progress
        )
    return build(specs, Path(output), engine, options, progress=progress)


def build(
    specs: Sequence[str],
    folder: Path | str,
    engine: DatasetEngine,
    options: Options | None = None,
    *,
    progress: Progress = silent,
) -> Dataset:
    """Build a dataset with an open engine; a build that was killed continues where it was.

    Args:
        specs: sources: folders, archives, CSV lists, `lfw` or `lfw:PATH`.
        folder: the dataset's folder; created if missing, or one that was built before.
        engine: an engine with one thread, since it is called from several.
        options: defaults where None.
        progress: called after each photo.

    Raises:
        SourceNotFound, UnusableSource, UnsafeArchive: a source cannot be used.
        EmptyDataset: no face found in any photo of the sources.
        DatasetBusy: another process is building there.
        OutputError: the folder cannot be written, or holds other files.
    """
    options = options or Options()
    folder = Path(folder)
    sources = open_sources(specs, progress, options.max_members)
    _check_output(folder, sources)
    surveys = {source.label: source.survey() for source in sources}
    merged = merge(surveys, keep_apart=options.keep_apart)
    if not merged.items:
        raise EmptyDataset(_no_photos(surveys), hint="Give a folder with a folder for each person.")
    with only_builder(folder), closing(Ledger(folder, stamp_of(engine))) as ledger:
        finish_move(folder)
        photos = _read_items(sources, merged)
        total = len(merged.items)
        found = _in_stable_order(
            extract(
                photos,
                engine,
                ledger,
                margin=options.margin,
                jobs=options.jobs,
                total=total,
                progress=progress,
            )
        )
        ledger.finish(found, _settings(sources, merged, engine, options))
        return _write(folder, ledger, progress)


def refresh(folder: Path | str, *, progress: Progress = silent) -> Dataset:
    """Write a dataset again from its own ledger, so that the user's decisions take effect.

    Raises:
        NotADataset: no finished build there, or one by another version of Mien.
        DatasetBusy: another process is building there.
    """
    folder = Path(folder)
    if not (folder / LEDGER).is_file():
        raise NotADataset(
            f"{folder}: no ledger of a build there",
            hint="Build it again from the photos: your decisions are kept and apply.",
            code="dataset-ledger-missing",
        )
    with only_builder(folder), closing(Ledger(folder)) as ledger:
        check_version(ledger, folder, VERSION)
        finish_move(folder)
        return _write(folder, ledger, progress)


def stamp_of(engine: DatasetEngine) -> str:
    """Return the stamp of extraction with an engine; results with another stamp are not reused.

    It holds Mien's version, since the detector's graph may change between versions, the models and
    the detection settings.
    """
    version, detector = f"{__version__}|{VERSION}", engine.detector_card.sha256
    # Written as in version 0.1.0, so that ledgers of that version stay valid.
    settings = ", ".join(f"{name}={value!r}" for name, value in engine.settings.to_dict().items())
    return f"{version}|{engine.contract}|{detector}|DetectionSettings({settings})"


def _write(folder: Path, ledger: Ledger, progress: Progress) -> Dataset:
    settings = ledger.settings()
    if settings is None:
        raise NotADataset(
            f"{folder}: its build has not been finished",
            hint="Build it again from the same sources: finished work is kept.",
            code="dataset-unfinished",
        )
    decisions = read_decisions(folder)
    curated = curate(ledger, decisions, SplitRule(**settings["split"]), _limits(settings))
    entries = write_crops(folder, curated.entries, ledger, progress=progress)
    margin = settings["margin"] and MarginCrop(**settings["margin"])
    if margin:
        write_crops(folder, entries, ledger, kind=margin.name, progress=progress)
    card = describe(settings, entries, curated, decisions)
    files = {
        MANIFEST: write_manifest(entries),
        EMBEDDINGS: array_bytes(curated.embeddings),
        MIRRORED: array_bytes(curated.mirrored),
        "README.md": readme(card).encode("utf-8", "replace"),
        "contact_sheet.jpg": contact_sheet(folder, entries, progress=progress),
    }
    publish(folder, card, files)
    remove_stale_crops(folder, CROPS, entries)
    for old in folder.glob("crops-margin*"):
        if margin and old.name == margin.name:
            remove_stale_crops(folder, old.name, entries)
        else:
            with writing(folder):
                shutil.rmtree(old)
    dataset = Dataset.open(folder)
    if (folder / PAGE).is_file():
        write_review(dataset)
    return dataset


def _limits(settings: Mapping[str, Any]) -> CleaningLimits | None:
    """Return the embedder's cleaning limits; None where it is not calibrated."""
    (embedder,) = (w["id"] for w in settings["weights"] if w["kind"] == "embedder")
    found = statistics_of(settings.get("statistics"), embedder, settings["contract"])
    return CleaningLimits.of(found)


def _check_output(folder: Path, sources: Sequence[Source]) -> None:
    if path_exists(folder) and not is_folder(folder):
        raise OutputError(
            f"{folder}: is a file, not a folder",
            hint="Give another path.",
            code="dataset-path-is-a-file",
        )
    own_files = (CARD, LEDGER, NEXT, ".lock")
    if (
        is_folder(folder)
        and any(folder.iterdir())
        and not any((folder / n).exists() for n in own_files)
    ):
        raise OutputError(
            f"{folder}: holds files that are not a dataset's",
            hint="Give an empty or new folder.",
            code="dataset-folder-in-use",
        )
    real = real_path(folder)
    for source in sources:
        if isinstance(source, FolderSource):
            root = real_path(Path(source.location))
            if real == root or root in real.parents:
                raise UnusableSource(
                    f"{folder}: the dataset would lie in its own source {source.location}",
                    hint="Give a folder outside the photos.",
                    code="dataset-inside-source",
                )


def _no_photos(surveys: Mapping[str, Survey]) -> str:
    passed = [
        f"{reason}: {count}"
        for survey in surveys.values()
        for reason, count in survey.skipped.most_common()
    ]
    return "no photo of a person in the sources" + (f" ({', '.join(passed)})" if passed else "")


def _read_items(sources: Sequence[Source], merged: Merged) -> Iterator[tuple[Item, Load]]:
    """Yield every item, under its person's merged name, with a function that reads its bytes."""
    for source in sources:
        own = [item for item in merged.items if item.source == source.label]
        yield from source.read(own)


def _in_stable_order(found: Iterator[Occurrence]) -> list[Occurrence]:
    """Sort the photos, so that their order does not depend on the order in the sources."""
    return sorted(found, key=lambda o: (o.source, o.photo, o.person))


def _settings(
    sources: Sequence[Source], merged: Merged, engine: DatasetEngine, options: Options
) -> dict[str, Any]:
    """Return what is needed, beside the ledger's photos, to write the dataset again."""
    statistics = engine.embedder_card.statistics_for(engine.contract)
    return {
        "contract": engine.contract,
        "weights": [_weights(card) for card in (engine.detector_card, engine.embedder_card)],
        "statistics": None if statistics is None else statistics.to_dict(),
        "detection": engine.settings.to_dict(),
        "sources": [
            {
                "label": source.label,
                "location": readable(os.fspath(source.location)),
                "photos": sum(item.source == source.label for item in merged.items),
                "skipped": merged.skipped[source.label],
            }
            for source in sources
        ],
        "merged": list(merged.merged),
        "keep_apart": options.keep_apart,
        "split": asdict(options.rule),
        "margin": asdict(options.margin) if options.margin else None,
    }


def _weights(card: ModelCard) -> dict[str, str]:
    names = ("id", "kind", "title", "licence", "licence_url", "publisher", "trained_on", "sha256")
    return {name: str(getattr(card, name)) for name in names}
