"""Datasets as arguments of public calls: an opened dataset, or its folder."""

from __future__ import annotations

import os
from pathlib import Path

from mien.dataset.storage.opened_dataset import Dataset

DatasetOrPath = Dataset | str | os.PathLike[str]
"""An opened dataset, or the path of its folder."""


def open_dataset(dataset: DatasetOrPath) -> Dataset:
    """Return a dataset, opened if a path is given.

    Raises:
        NotADataset: the folder holds no dataset.
        TypeError: it is neither.
    """
    if isinstance(dataset, str | os.PathLike):
        return Dataset.open(Path(dataset))
    if not isinstance(dataset, Dataset):
        raise TypeError(f"a dataset or the path of its folder is wanted, not {dataset!r:.80}")
    return dataset
