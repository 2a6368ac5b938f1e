"""Import the people of a dataset, by the photos that `mien dataset build` marked usable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress

from mien.dataset import Dataset, Entry
from mien.engine import contract_of
from mien.errors import ContractMismatch
from mien.gallery.values import FaceSample, ImportedPerson, Origin
from mien.models.cards import card
from mien.models.weight_store import WeightStore


def origin_of(dataset: Dataset, store: WeightStore | None = None) -> Origin:
    """Return how a dataset's embeddings were made.

    Raises:
        UnknownModel: the card of the embedder is not on this machine.
        ContractMismatch: the embedder of that name makes other embeddings now.
    """
    models = {weights["kind"]: str(weights["id"]) for weights in dataset.card["weights"]}
    embedder = card(models["embedder"], store or WeightStore.default())
    if contract_of(embedder) != dataset.contract:
        raise ContractMismatch(
            f"{dataset.path} has embeddings of contract {dataset.contract}, "
            f"{embedder.id} makes {contract_of(embedder)}",
            hint="Build the dataset again with this version of the model.",
        )
    return Origin(
        contract=dataset.contract,
        dimension=dataset.embeddings.shape[1],
        embedder=embedder.id,
        detector=models["detector"],
        detection=dict(dataset.card["detection"]),
        statistics=embedder.statistics_for(dataset.contract),
    )


def imported_people(
    dataset: Dataset, *, train_only: bool = False, crops: bool = False
) -> Iterator[ImportedPerson]:
    """Yield the people of a dataset with their usable photos.

    Args:
        dataset: open.
        train_only: leave out the validation side, as `mien train` does.
        crops: read the aligned crops too, for a gallery that keeps them.
    """
    entries: dict[str, list[Entry]] = defaultdict(list)
    for entry in dataset.rows:
        if entry.used and not entry.leak and (entry.split == "train" or not train_only):
            entries[entry.person].append(entry)
    for person in sorted(entries):
        photos = sorted(entries[person], key=lambda entry: entry.id)
        source = f"dataset {dataset.path.name}"
        yield ImportedPerson(
            person, [_sample(dataset, entry, crops=crops) for entry in photos], source=source
        )


def _sample(dataset: Dataset, entry: Entry, *, crops: bool) -> FaceSample:
    crop = b""
    if crops and entry.crop:
        with suppress(OSError):  # it is only for display
            crop = (dataset.path / entry.crop).read_bytes()
    return FaceSample(
        embedding=dataset.embeddings[entry.row],
        mirrored=dataset.mirrored[entry.row],
        contract=dataset.contract,
        quality=entry.quality,
        sha256=entry.sha256,
        source=entry.photo,
        crop=crop,
    )
