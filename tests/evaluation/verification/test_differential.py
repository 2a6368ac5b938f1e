import json

import numpy as np
import pytest
from test_all_pairs import apart, made

from mien.cli import main
from mien.dataset import Dataset
from mien.errors import NothingToMeasure
from mien.evaluation.verification.differential import (
    NO_ERROR_SEEN,
    evaluate_differential,
    read_attributes,
)
from mien.names import name_key


def people(worse=0.0, *, count=300, seed=1):
    """Return a dataset; photos of people with even numbers have more noise if `worse` > 0."""
    found, vectors, labels = made(seed, people=count)
    noise = np.random.default_rng(seed).normal(size=vectors.shape) * worse
    spread = vectors + noise * (labels % 2 == 0)[:, None]
    spread = (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)
    object.__setattr__(found, "embeddings", spread)
    return found


def table(count=300, few=0):
    side = {name_key(f"p{i:03}"): "even" if i % 2 == 0 else "odd" for i in range(count)}
    if few:
        side.update({name_key(f"p{i:03}"): "few" for i in range(few)})
    return {"side": side}


def test_a_group_with_more_errors_is_found():
    found = evaluate_differential(people(0.25), table(), far=0.01)
    even, odd = found.groups
    assert (even.value, odd.value) == ("even", "odd")
    assert even.fnmr.verdict == "higher"
    assert odd.fnmr.verdict == "lower"
    assert even.fnmr.rate.value > 1.5 * odd.fnmr.rate.value
    assert even.fnmr.others == odd.fnmr.rate.value
    assert found.unknown == 0


def test_no_difference_where_there_is_none():
    found = evaluate_differential(people(), table(), far=0.01)
    assert {group.fnmr.verdict for group in found.groups} == {"no difference shown"}
    assert {group.fmr.verdict for group in found.groups} == {"no difference shown"}


def test_too_few_people_are_insufficient_data():
    found = evaluate_differential(people(0.25), table(few=6), far=0.01)
    few = next(group for group in found.groups if group.value == "few")
    assert few.people == 6
    for rate in (few.fnmr, few.fmr):
        assert rate.verdict == "insufficient data"
        assert rate.needed > rate.people


def test_no_errors_are_insufficient_data():
    found = evaluate_differential(apart(), table(20), far=0.01)
    for group in found.groups:
        for rate in (group.fnmr, group.fmr):
            assert (rate.rate.value, rate.verdict) == (0, "insufficient data")
            assert rate.needed == NO_ERROR_SEEN


def test_rates_by_hand():
    found = evaluate_differential(people(0.25), table(), far=0.01)
    dataset = people(0.25)
    labels = np.array([int(e.person[1:]) for e in dataset.rows])
    scores = dataset.embeddings @ dataset.embeddings.T
    rows, columns = np.triu_indices(len(labels), 1)
    even = (labels[rows] % 2 == 0) & (labels[columns] % 2 == 0)
    own = labels[rows] == labels[columns]
    refused = scores[rows, columns] < found.threshold
    group = found.groups[0]
    assert group.fnmr.rate.value == pytest.approx(refused[even & own].mean(), abs=1e-3)
    assert group.fmr.rate.value == pytest.approx((~refused)[even & ~own].mean(), abs=1e-4)


def test_rates_without_comparisons_are_shown_as_a_dash(tmp_path, monkeypatch, capsys):
    def shown(dataset, rows):
        monkeypatch.setattr(Dataset, "open", lambda _: dataset)
        path = tmp_path / "attributes.csv"
        path.write_text("person,side\n" + "\n".join(rows) + "\n")
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", "differential", "people", str(path), "--far", "0.01"])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        assert "nan" not in printed
        return [" ".join(line.split()) for line in printed.splitlines()]

    # A group of one has no pairs of two people, and all others have no value: no comparison.
    lines = shown(people(0.25), ["p000,alone"])
    assert any("FMR - - - insufficient" in line for line in lines)
    lines = shown(apart(), [f"p{i:03},{'alone' if i == 0 else 'rest'}" for i in range(20)])
    assert any("FMR - - 0 insufficient" in line for line in lines)


def test_attribute_tables_are_read_and_checked(tmp_path):
    path = tmp_path / "attributes.csv"
    path.write_text("Person,age,sex\nAnn,30,f\nBen,,m\n", "utf-8")
    found = read_attributes(path)
    assert found["age"] == {name_key("Ann"): "30"}
    assert found["sex"] == {name_key("Ann"): "f", name_key("Ben"): "m"}
    for text in ("", "person\nAnn\n", "name,age\nAnn,3\n"):
        path.write_text(text)
        with pytest.raises(NothingToMeasure, match="no columns"):
            read_attributes(path)
    with pytest.raises(NothingToMeasure, match="cannot be read"):
        read_attributes(tmp_path / "none.csv")
    with pytest.raises(NothingToMeasure, match="no person in the table"):
        evaluate_differential(people(count=20), {"age": {"x": "1"}}, far=0.1)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Dataset, "open", lambda _: people(0.25))
    path = tmp_path / "attributes.csv"
    lines = [f"p{i:03},{'few' if i < 6 else 'even' if i % 2 == 0 else 'odd'}" for i in range(290)]
    path.write_text("person,side\n" + "\n".join(lines) + "\n")
    for words in ([], ["--json"]):
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", "differential", "people", str(path), "--far", "0.01", *words])
        assert caught.value.code == 0
        printed = capsys.readouterr()
        assert "not in the table: 10 people of the dataset" in printed.err
        if words:
            groups = json.loads(printed.out)["groups"]
            assert groups[1]["fnmr"]["conclusion"] == "insufficient data"
        else:
            assert "insufficient" in printed.out
            assert "higher" in printed.out
