"""The clean graph is made once, cached, and made again when damaged."""

from __future__ import annotations

import onnx
import pytest
from toy_models import card_text, toy_network

from mien.errors import WeightsMissing
from mien.models import clean
from mien.models.cards import parse_card
from mien.models.ready import ready_model
from mien.models.weight_store import WeightStore

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def store(home):
    return WeightStore(home)


@pytest.fixture
def known(store, tmp_path):
    data = toy_network()
    (tmp_path / "toy.toml").write_text(card_text(data=data))
    (tmp_path / "toy.onnx").write_bytes(data)
    return store.add(tmp_path / "toy.toml", tmp_path / "toy.onnx", lambda *_: None)


def test_made_once(store, known, monkeypatch):
    path = ready_model(known, store)
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == ["input"]
    assert [value.name for value in graph.output] == ["embedding"]
    assert path.parent == store.ready_folder
    monkeypatch.setattr(clean, "clean_embedder", pytest.fail)
    assert ready_model(known) == path
    # Without its weights too, and on a disk that cannot be written to.
    store.path(known).unlink()
    monkeypatch.setattr("mien.models.ready.locked", pytest.fail)
    assert ready_model(known, store) == path


def test_made_again_when_damaged(store, known):
    path = ready_model(known, store)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert ready_model(known, store).read_bytes() == data


def test_a_new_version_replaces_the_old_one(store, known, monkeypatch):
    old = ready_model(known, store)
    monkeypatch.setattr(clean, "CLEAN_VERSION", clean.CLEAN_VERSION + 1)
    new = ready_model(known, store)
    assert new != old
    assert [path.name for path in store.ready_folder.glob("*.onnx")] == [new.name]


def test_offline(store, monkeypatch):
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    with pytest.raises(WeightsMissing):
        ready_model(parse_card(card_text(), name="toy"), store)
