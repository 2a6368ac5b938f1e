import json
from itertools import pairwise

import hand_worked as hand
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_all_pairs import made

from mien.cli import main
from mien.dataset import Dataset
from mien.errors import InvalidPairs, NothingToMeasure
from mien.evaluation import evaluate_open_set, read_lfw_people
from mien.evaluation.open_set.draws import (
    best_rowden,
    blufr,
    by_gallery,
    by_size,
    lfw_rows,
    people_rows,
)
from mien.evaluation.open_set.lfw_people import LfwPerson


def several(counts):
    """Return the rows of people with these numbers of photos."""
    starts = np.cumsum([0, *counts])
    return [np.arange(a, b) for a, b in pairwise(starts)]


def test_sizes_share_people_and_probes():
    people = several([6, 7, 1, 2, 5, 9])
    drawn = list(by_size(people, (1, 3, 5), draws=2))
    assert [size for size, _ in drawn] == [1, 3, 5] * 2
    for size, draw in drawn:
        assert np.bincount(draw.enrolled_as).tolist() == [size] * 3
        assert len(draw.probes) == 1 + 2 + 4
        assert sorted(draw.strangers) == [13, *range(14, 16), *range(16, 21)]
        assert not set(draw.enrolled) & set(draw.probes)
    assert np.array_equal(drawn[0][1].probes, drawn[2][1].probes)
    assert set(drawn[0][1].enrolled) < set(drawn[1][1].enrolled) < set(drawn[2][1].enrolled)
    assert not np.array_equal(drawn[0][1].enrolled, drawn[3][1].enrolled)


def test_larger_galleries_contain_smaller_ones():
    people = several([2, 3, 4, 1, 1, 2])
    drawn = list(by_gallery(people, (1, 2, 4, 50), draws=3))
    assert [size for size, _ in drawn] == [1, 2, 4] * 3
    assert set(drawn[0][1].enrolled) < set(drawn[1][1].enrolled) < set(drawn[2][1].enrolled)
    for size, draw in drawn:
        assert len(draw.enrolled) == size
        assert sorted(draw.strangers) == [9, 10]


def test_too_few_people():
    with pytest.raises(NothingToMeasure, match="more than 5 photos"):
        list(by_size(several([2, 1]), (5,)))
    with pytest.raises(NothingToMeasure, match=r"more than 5 photos: 2, others: 1;"):
        list(by_size(several([6, 6, 1]), (5,)))
    with pytest.raises(NothingToMeasure, match=r"with one: 0;"):
        list(by_gallery(several([2, 3]), (1,)))
    with pytest.raises(NothingToMeasure, match="two of the latter"):
        list(by_gallery(several([2, 3, 1]), (1,)))
    with pytest.raises(NothingToMeasure, match="100 of the former"):
        list(by_gallery(several([2, 3, 1, 1]), (100, 200)))
    for protocol in (blufr, best_rowden):
        with pytest.raises(NothingToMeasure, match="the protocol enrols"):
            list(protocol(several([2] * 300 + [1] * 2000)))


def lfw_counts():
    """Return numbers of photos of 5,749 people, distributed about as in LFW."""
    return [1] * 4069 + [2] * 779 + [3] * 291 + [4] * 187 + [5] * 112 + [6] * 55 + [25] * 256


def test_published_protocols_have_their_sizes():
    people = several(lfw_counts())
    total = sum(lfw_counts())
    for draw in blufr(people, draws=2):
        assert len(draw.enrolled) == 1000
        owner = np.repeat(np.arange(len(people)), lfw_counts())
        assert len(set(owner[draw.strangers[draw.development]])) == 1500
        assert len(set(owner[draw.strangers[~draw.development]])) == 3249
        rows = np.concatenate([draw.enrolled, draw.probes, draw.strangers])
        assert sorted(rows) == list(range(total))
    for draw in best_rowden(people, draws=2):
        assert len(draw.enrolled) == 596
        rows = np.concatenate([draw.enrolled, draw.probes, draw.strangers])
        assert sorted(rows) == list(range(total))


@settings(max_examples=8)
@given(st.integers(0, 30), st.randoms(use_true_random=False))
def test_order_and_names_have_no_effect(seed, random):
    order, names = list(range(400)), [f"q{i:03}" for i in range(60)]
    random.shuffle(order)
    random.shuffle(names)
    one = made(seed)[0]
    other = made(seed, names=names, order=np.array(order))[0]
    inverse = np.argsort(np.array(order)[: len(one.rows)])
    rows = [other.rows[i] for i in range(len(inverse))]
    for i, entry in enumerate(rows):  # a photo keeps its digest in any order
        object.__setattr__(entry, "sha256", f"{inverse[i]:064}")
    for i, entry in enumerate(one.rows):
        object.__setattr__(entry, "sha256", f"{i:064}")
    found = [evaluate_open_set(d, "sizes", sizes=(1, 2), draws=2).rows for d in (one, other)]
    for a, b in zip(*found, strict=True):
        assert b.rank1.value == pytest.approx(a.rank1.value)
        assert b.cmc == pytest.approx(a.cmc)
        for left, right in zip(a.rates, b.rates, strict=True):
            assert right.dir.value == pytest.approx(left.dir.value)
            assert right.fpir.value == pytest.approx(left.fpir.value)


def test_more_photos_are_better():
    one, three = evaluate_open_set(made(2, people=150)[0], "sizes", sizes=(1, 3), draws=3).rows
    assert (one.photos, three.photos) == (1, 3)
    assert one.people == three.people
    assert one.rank1.value < three.rank1.value
    assert one.rates[0].dir.value < three.rates[0].dir.value
    assert list(one.cmc) == sorted(one.cmc)
    assert one.cmc[0] == pytest.approx(one.rank1.value)
    galleries = evaluate_open_set(
        made(2, people=150)[0], "galleries", galleries=(10, 40), draws=3
    ).rows
    assert [row.people for row in galleries] == [10, 40]
    assert galleries[0].rank1.value >= galleries[1].rank1.value


def test_rows_per_person_leave_out_leaks():
    dataset = hand.dataset([*hand.PHOTOS, ("Ann", 0, "validation", "leak")])
    assert sorted(map(len, people_rows(dataset))) == [2, 2, 3]
    assert sorted(map(len, people_rows(dataset, include_set_aside=True))) == [2, 3, 3]


def test_rows_follow_the_list_of_lfw():
    dataset = hand.dataset([("Ann", 0, "train", ""), ("Ann", 5, "train", "low-quality")])
    for number, entry in enumerate(dataset.rows, 1):
        object.__setattr__(entry, "photo", f"lfw/Ann/Ann_{number:04}.jpg")
    (rows,) = lfw_rows(dataset, [LfwPerson("Ann", 2, 0)])
    assert rows.tolist() == [0, 1]
    with pytest.raises(NothingToMeasure, match=r"lacks 1 .* Ann_0003\.jpg"):
        lfw_rows(dataset, [LfwPerson("Ann", 3, 0)])


def test_lists_of_people_are_read_and_checked(tmp_path):
    path = tmp_path / "people.txt"
    path.write_text("2\n1\nAnn\t3\n2\nBen\t1\nCyd\t2\n")
    assert [(p.name, p.photos, p.fold) for p in read_lfw_people(path)] == [
        ("Ann", 3, 0),
        ("Ben", 1, 1),
        ("Cyd", 2, 1),
    ]
    path.write_text("2\nAnn\t1\nBen\t1\n")
    assert [p.fold for p in read_lfw_people(path)] == [0, 0]
    assert read_lfw_people(path)[0].files == ("Ann_0001.jpg",)
    for text in ("", "3\nAnn\t1\n", "1\nAnn\n", "1\nAnn\tx\n", "2\n1\nAnn\t1\n"):
        path.write_text(text)
        with pytest.raises(InvalidPairs):
            read_lfw_people(path)


@pytest.mark.lfw
def test_the_published_list(data_folder):
    people = read_lfw_people(data_folder / "lfw" / "people.txt")
    assert len(people) == 5749
    assert sum(person.photos for person in people) == 13233
    assert {person.fold for person in people} == set(range(10))
    assert len(read_lfw_people(data_folder / "lfw" / "peopleDevTrain.txt")) == 4038


def test_the_command(monkeypatch, capsys):
    monkeypatch.setattr(Dataset, "open", lambda _: made(2, people=150)[0])
    for words, code in (
        (["--sizes", "1,2", "--draws", "2"], 0),
        (["--protocol", "galleries", "--galleries", "5,9", "--draws", "2", "--json"], 0),
        (["--protocol", "blufr"], 2),
        (["--sizes", "one"], 2),
        (["--sizes", "40"], 16),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", "open-set", "people", *words])
        printed = capsys.readouterr().out
        assert caught.value.code == code
        if "--json" in words:
            found = json.loads(printed)
            assert [row["people"] for row in found["rows"]] == [5, 9]
            assert found["rows"][0]["open_set"][1]["fpir_target"] == 0.001
        elif code == 0:
            assert "2 photos" in printed
            assert "0.1 %" in printed
