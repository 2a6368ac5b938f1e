"""Photos of people to a dataset: one chosen face per photo, cleaned, split, with its reasons."""

from mien.dataset.build import build_dataset
from mien.dataset.storage.manifest import Dataset, Entry
from mien.dataset.storage.records import MarginCrop

__all__ = ["Dataset", "Entry", "MarginCrop", "build_dataset"]
