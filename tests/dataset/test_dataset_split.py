from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.dataset.split import split

PHOTOS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=12),
    min_size=1,
    max_size=6,
)


def flat(photos):
    rows = [(p, f"{p}-{g}", use) for p, own in photos.items() for g, use in own]
    return [list(column) for column in zip(*rows, strict=True)]


@given(PHOTOS, st.floats(0.05, 0.95), st.integers(0, 5))
def test_split_follows_the_rule(photos, share, seed):
    people, groups, usable = flat(photos)
    sides = split(people, groups, usable, share=share, seed=seed)
    assert sides == split(people, groups, usable, share=share, seed=seed)
    on = defaultdict(set)
    for group, side in zip(groups, sides, strict=True):
        on[group].add(side)
    assert all(len(both) == 1 for both in on.values())
    for person in photos:
        own = {g: next(iter(on[g])) for p, g in zip(people, groups, strict=True) if p == person}
        count = Counter(own.values())
        n = len(own)
        expected = 1 if n == 1 else min(max(int(share * n + 0.5), 1), n - 1)
        assert count["train"] == expected
        can = any(u for p, u in zip(people, usable, strict=True) if p == person)
        does = any(
            u and s == "train" for p, u, s in zip(people, usable, sides, strict=True) if p == person
        )
        assert does == can


@given(PHOTOS, PHOTOS)
def test_more_people_do_not_change_the_split_of_others(photos, more):
    more = {f"new {name}": own for name, own in more.items()}
    before = split(*flat(photos))
    after = split(*flat({**photos, **more}))
    assert after[: len(before)] == before


def test_split_depends_on_the_seed_and_not_on_the_order():
    people, groups, usable = ["a"] * 10, [str(i) for i in range(10)], [True] * 10
    one = dict(zip(groups, split(people, groups, usable), strict=True))
    reversed_order = dict(zip(groups[::-1], split(people, groups[::-1], usable), strict=True))
    assert one == reversed_order
    assert one != dict(zip(groups, split(people, groups, usable, seed=1), strict=True))
    assert Counter(one.values()) == {"train": 7, "validation": 3}


def test_near_duplicates_of_two_people_are_on_one_side():
    people, groups = ["a"] * 6 + ["b"], ["g", "1", "2", "3", "4", "5", "g"]
    for seed in range(20):
        sides = split(people, groups, [True] * 7, seed=seed)
        assert sides[0] == sides[6] == "train"


def test_a_share_of_1_is_rejected():
    with pytest.raises(ValueError, match="share"):
        split(["a"], ["g"], [True], share=1.0)
