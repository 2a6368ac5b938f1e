"""Photos of people become a dataset: one chosen face a photo, cleaned, split, with its reasons.

The road: `sources` names the photos, `extract` turns each into faces and keeps them in the
`ledger`, `choose` says which face of a photo is the person, `clean` sets doubtful ones aside,
`split` divides, `output` writes the folder that `manifest.Dataset` reads.
"""

from mien.dataset.storage.manifest import Dataset, Entry

__all__ = ["Dataset", "Entry"]
