"""Who is trained on and who is held out: a rule by photo that more people do not disturb."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from mien.names import name_key

RULE = (
    "Each person's photos are put in the order of sha256(seed, person, group), near-duplicates as "
    "one group. Of n groups the first round(share · n), at least 1 and, where n is 2 or more, at "
    "most n - 1, are for training, the rest for validation. A person with one photo is trained on "
    "and never validated on. Where no training photo of a person is usable and a validation photo "
    "is, the last training group and the first such validation group change places. A group that "
    "is in two people's folders is for training if it is for either."
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
    """Return the side of each photo, by `RULE`.

    Args:
        people: (M) the person of each photo.
        groups: (M) id of the group of near-duplicates each is in.
        usable: (M) whether each is used, that is, not set aside.
        share: of the groups that are trained on, in (0, 1).
        seed: of the order; another seed is another split.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share lies between 0 and 1, got {share}")
    members: dict[str, dict[str, list[int]]] = {}
    for i, (person, group) in enumerate(zip(people, groups, strict=True)):
        members.setdefault(person, {}).setdefault(group, []).append(i)
    trained: set[str] = set()
    for person, own in members.items():
        order = sorted(own, key=lambda group: _place(seed, person, group))
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


def _place(seed: int, person: str, group: str) -> bytes:
    text = f"{seed}|{name_key(person)}|{group}"
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
