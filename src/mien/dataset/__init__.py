"""Build datasets from photos of people: one face per photo, cleaned and split."""

from mien.dataset.build import build_dataset
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.dataset.storage.records import MarginCrop

__all__ = ["Dataset", "Entry", "MarginCrop", "build_dataset"]
