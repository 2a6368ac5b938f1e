"""Train a recognizer: from a dataset to one file, with the policy of its embedder's statistics."""

from __future__ import annotations

import os

from mien.dataset import Dataset
from mien.recognizer import Recognizer
from mien.training.stranger_scores import stranger_rows
from mien.training.trainer import HeadName, train_head
from mien.types import Progress, silent


def train(
    dataset: Dataset | str | os.PathLike[str],
    *,
    head: HeadName = "auto",
    false_positive_rate: float = 0.01,
    strangers: Dataset | str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Recognizer:
    """Train a recognizer of the people in a dataset: `mien train`.

    Only the training side of the dataset's split is used. The same dataset, options and seed give
    the same recognizer, and with `SOURCE_DATE_EPOCH` set the same bytes.

    Args:
        dataset: of the people, or its folder.
        head: how people are told apart; `auto` takes what does best in cross-validation.
        false_positive_rate: share of strangers who may be given any name, in (0, 1).
        strangers: a dataset of other people, or its folder; who has a name of yours is not counted.
        seed: random seed of folds and fits.
        progress: called after each step.

    Returns:
        The recognizer; `training` is the report of how it was trained.

    Raises:
        NotADataset: a folder holds no dataset.
        ContractMismatch: the datasets were made with other models than are there now.
        TooFewPeople: no photo to train on, one person and nothing known of strangers, or strangers
            were given and there are none.
        ModelError: the models cannot be had.
        ValueError: the rate is not between 0 and 1.
    """
    people = dataset if isinstance(dataset, Dataset) else Dataset.open(os.fspath(dataset))
    engine = people.open_engine(progress=progress)
    others = labels = None
    source = ""
    if strangers is not None:
        found = strangers if isinstance(strangers, Dataset) else Dataset.open(os.fspath(strangers))
        source = f"the people of {found.path}"
        engine.check(found.contract, str(found.path))
        rows = stranger_rows(found, people.people)
        others, labels = found.embeddings[rows], found.labels[rows]
    trained = train_head(
        people,
        head=head,
        false_positive_rate=false_positive_rate,
        strangers=others,
        stranger_people=labels,
        stranger_source=source,
        statistics=engine.embedder_card.impostors,
        seed=seed,
        progress=progress,
    )
    return Recognizer.build(trained.head, engine, dataset=people.digest, measured=trained.report)
