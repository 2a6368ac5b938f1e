"""Split photos into training and validation, per person and independent of other people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from mien.names import name_key

RULE = (
    "Each person's photos are sorted by sha256(seed, person, group); near-duplicates are one "
    "group. Of n groups the first round(share · n), at least 1 and, where n is 2 or more, at "
    "most n - 1, are for training, the rest for validation. A person with one photo is in "
    "training only. Where no training photo of a person is usable and a validation photo is, the "
    "last training group and the first such validation group are swapped. A group with photos of "
    "two people is for training if it is for training of either."
)

Side = Literal["train", "validation"]


def split(
    people: Sequence[str],
    groups: Sequence[str],
    usable: Sequence[bool],
    *,
    share: float = 0.7,
    seed: int = 0,
) -> list[Side]:
    """Return the side of each photo according to `RULE`.

    Args:
        people: (M) the person of each photo.
        groups: (M) id of each photo's group of near-duplicates.
        usable: (M) whether each photo is used, that is, not set aside.
        share: share of a person's groups for training, in (0, 1).
        seed: random seed; another seed gives another split.

    Raises:
        ValueError: the share is not in (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"the share lies between 0 and 1, got {share}")
    members: dict[str, dict[str, list[int]]] = {}
    for i, (person, group) in enumerate(zip(people, groups, strict=True)):
        members.setdefault(person, {}).setdefault(group, []).append(i)
    trained: set[str] = set()
    for person, own in members.items():
        order = sorted(own, key=lambda group: _order_key(seed, person, group))
        count = _train_count(len(order), share)
        has_use = [any(usable[i] for i in own[group]) for group in order]
        if not any(has_use[:count]) and any(has_use):
            other = has_use.index(True)
            order[count - 1], order[other] = order[other], order[count - 1]
        trained.update(order[:count])
    return ["train" if group in trained else "validation" for group in groups]


def _train_count(groups: int, share: float) -> int:
    if groups < 2:
        return groups
    return min(max(int(share * groups + 0.5), 1), groups - 1)


def _order_key(seed: int, person: str, group: str) -> bytes:
    text = f"{seed}|{name_key(person)}|{group}"
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
