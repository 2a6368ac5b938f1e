"""A user's own embedder is accepted if it behaves as its card says, and refused otherwise."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from toy_models import card_text, toy_network

from mien.engine import forward
from mien.errors import InvalidCard, ModelError, UnusableWeights
from mien.models.cards import parse_card
from mien.models.own import check_embedder


def check(data, *, side=112, **fields):
    text = card_text(data=data, **fields).replace("side = 112", f"side = {side}")
    return check_embedder(parse_card(text, name="toy.toml"), data, forward)


@pytest.mark.parametrize("batch", ["N", 1], ids=["free batch", "batch of one"])
def test_a_correct_embedder_is_accepted(batch):
    check(toy_network(batch=batch))
    check(toy_network(batch=batch), extra="mean = 127.5\nscale = 0.0078125")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "."),
        (b"not a model", "."),
        (toy_network(dimension=9), "8"),
        (toy_network(side=96), "112"),
        (toy_network(constant=True), "different pictures the same embedding"),
        (toy_network(scale=np.nan), "not finite"),
        (toy_network(domain="com.example"), "."),
        (toy_network(outputs=2), "one output"),
        (toy_network(mixing=True), "."),
    ],
    ids=[
        "empty",
        "text",
        "other dimension",
        "other side",
        "constant",
        "not a number",
        "own operator",
        "two outputs",
        "batch mixed",
    ],
)
def test_a_wrong_embedder_is_refused(data, says):
    if not data:
        with pytest.raises(InvalidCard):
            parse_card(card_text(data=data), name="toy.toml")
        return
    with pytest.raises(UnusableWeights, match=says):
        check(data)


def test_crops_of_another_size_are_refused():
    with pytest.raises(InvalidCard, match=r"input\.side must be 112, not 160"):
        check(toy_network(side=160), side=160)


def test_a_file_that_runs_only_after_conversion():
    data = toy_network()
    with pytest.raises(UnusableWeights):
        forward(data, {})

    def only_clean(model, inputs):
        return forward(model, inputs if model != data else {})

    check_embedder(parse_card(card_text(data=data), name="toy.toml"), data, only_clean)


def test_errors_of_the_forward_pass_are_passed_on():
    def broken(*_):
        raise UnusableWeights("cannot run")

    data = toy_network()
    known = parse_card(card_text(data=data), name="toy.toml")
    assert known.sha256 == hashlib.sha256(data).hexdigest()
    with pytest.raises(ModelError, match="cannot run"):
        check_embedder(known, data, broken)
