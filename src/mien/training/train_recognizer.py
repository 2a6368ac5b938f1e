"""Train a recognizer from a dataset: the library call behind `mien train`."""

from __future__ import annotations

import numpy as np

from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.recognizer import Recognizer
from mien.training.stranger_scores import stranger_rows
from mien.training.trainer import HeadName, train_head
from mien.types import Progress, silent


def train(
    dataset: DatasetOrPath,
    *,
    head: HeadName = "auto",
    false_positive_rate: float = 0.01,
    confidence: float | None = None,
    strangers: DatasetOrPath | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Recognizer:
    """Train a recognizer of the people in a dataset: `mien train`.

    Only the training side of the dataset's split is used. The same dataset, options and seed give
    the same recognizer; if the environment variable `SOURCE_DATE_EPOCH` is set, the same bytes.

    Example:
        `mien.train("people", strangers="lfw").save("people.onnx")`

    Args:
        dataset: photos of the people: a dataset, or its folder.
        head: kind of head; `auto` chooses by cross-validation.
        false_positive_rate: share of strangers who may be given any name, in (0, 1).
        confidence: that the rate holds for the gallery at hand, in (0, 1), such as 0.95; None for
            a rate that holds on average over galleries.
        strangers: a dataset of other people, or its folder. People whose name is in `dataset` are
            left out.
        seed: random seed of folds and fits.
        progress: called after each step.

    Returns:
        The recognizer; its `training` is the training report.

    Raises:
        NotADataset: a folder holds no dataset.
        ContractMismatch: a dataset was made with other models than those installed.
        TooFewPeople: there is no photo to train on; there is one person and nothing is known of
            strangers; or the dataset of strangers has no other people.
        ModelError: the models are not available.
        ValueError: the rate is not between 0 and 1, or there is no such kind of head.
    """
    people = open_dataset(dataset)
    engine = people.open_engine(progress=progress)
    others = labels = None
    source = ""
    if strangers is not None:
        found = open_dataset(strangers)
        source = f"the people of {found.path}"
        engine.check(found.contract, str(found.path))
        rows = stranger_rows(found, people.people)
        others = found.embeddings[rows]
        labels = np.array(found.people)[found.labels[rows]]
    trained = train_head(
        people,
        head=head,
        false_positive_rate=false_positive_rate,
        confidence=confidence,
        strangers=others,
        stranger_people=labels,
        stranger_source=source,
        statistics=engine.statistics,
        seed=seed,
        progress=progress,
    )
    return Recognizer.build(trained.head, engine, dataset=people.digest, measured=trained.report)
