"""Built-in cards are valid, and an invalid card is refused with the wrong key."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_models import card_text, url_source, wheel_source

from mien.engine import contract_of
from mien.errors import InvalidCard, UnknownModel
from mien.models.card_fields import with_statistics
from mien.models.cards import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    WheelSource,
    all_cards,
    built_in_cards,
    card,
    parse_card,
)
from mien.models.statistics import (
    CopyStatistics,
    EmbedderStatistics,
    GenuineStatistics,
    ImpostorStatistics,
)
from mien.models.weight_store import WeightStore
from mien.policy import CleaningLimits
from mien.types import Calibration

GOOD = card_text(sources=wheel_source() + url_source("https://example.org/toy.onnx"))

IMPOSTORS = """
[impostors]
measured_on = "1,000 people"
false_match_rate = [0.1, 0.01]
similarity.1 = [0.2, 0.3]
similarity.5 = [0.25, 0.35]
"""

MEASURED = """
[statistics]
contract = "0123456789abcdef"
also_for = ["fedcba9876543210"]

[genuine]
measured_on = "1,000 people"
false_non_match_rate = [0.02, 0.2]
similarity.1 = [0.4, 0.6]
similarity.3 = [0.5, 0.7]

[copies]
measured_on = "1,000 photos"
false_non_match_rate = [0.005, 0.3]
similarity = [0.75, 0.93]
"""


def test_built_in_cards_are_valid():
    found = {known.id: known for known in built_in_cards()}
    assert list(found)[:2] == [DEFAULT_DETECTOR, DEFAULT_EMBEDDER]
    assert set(found) == {
        "yunet-2023mar",
        "yunet-2023mar-int8bq",
        "sface-2021dec",
        "sface-2021dec-int8bq",
    }
    for known in found.values():
        detector = known.kind == "detector"
        assert known.licence == ("MIT" if detector else "Apache-2.0")
        assert known.colour == ("BGR" if detector else "RGB")
        assert (known.side, known.dimension) == ((None, None) if detector else (112, 128))
        wheels = [source for source in known.sources if isinstance(source, WheelSource)]
        assert len(wheels) == (1 if known.id.endswith("int8bq") else 0)
    digests = {known.sha256 for known in found.values()}
    assert len(digests) == 4


def test_every_key_is_read():
    parsed = parse_card(
        GOOD.replace("side = 112", "side = 112\nmean = 127.5\nscale = 0.5"), name=""
    )
    assert (parsed.mean, parsed.scale, parsed.side, parsed.dimension) == (127.5, 0.5, 112, 8)
    assert [str(source) for source in parsed.sources] == [
        "the wheel mientoy==1.0 (mientoy/toy.onnx)",
        "https://example.org/toy.onnx",
    ]
    assert "mean=127.5 scale=0.5" in parsed.preprocessing
    assert parsed.impostors is None


def test_impostor_statistics_are_read():
    found = parse_card(GOOD + IMPOSTORS, name="").impostors
    assert found.template_photos == (1, 5)
    assert found.false_match_rate == (0.1, 0.01)
    assert found.similarity == ((0.2, 0.3), (0.25, 0.35))


def test_genuine_copy_statistics_and_their_contract():
    parsed = parse_card(GOOD + IMPOSTORS + MEASURED, name="")
    assert parsed.genuine.template_photos == (1, 3)
    assert parsed.genuine.similarity == ((0.4, 0.6), (0.5, 0.7))
    assert parsed.copies.similarity == (0.75, 0.93)
    assert parsed.contracts == ("0123456789abcdef", "fedcba9876543210")
    for contract in parsed.contracts:
        found = parsed.statistics_for(contract)
        assert found == EmbedderStatistics(parsed.impostors, None, parsed.genuine, parsed.copies)
    assert parsed.statistics_for("f" * 16) is None


def test_statistics_of_a_card_that_names_no_contract_are_its_own():
    parsed = parse_card(GOOD + IMPOSTORS, name="")
    assert parsed.contracts == ()
    assert parsed.statistics_for(contract_of(parsed)) == EmbedderStatistics(parsed.impostors)
    assert parsed.statistics_for("f" * 16) is None
    assert parse_card(GOOD, name="").statistics_for("f" * 16) is None


@pytest.mark.parametrize("known", built_in_cards(), ids=lambda known: known.id)
def test_built_in_cards_are_measured_for_their_own_contract(known):
    statistics = known.statistics_for(contract_of(known))
    assert (statistics is None) == (known.kind == "detector")
    if statistics is not None:
        assert None not in (statistics.impostors, statistics.genuine, statistics.copies)
        assert EmbedderStatistics.from_dict(statistics.to_dict()) == statistics


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[0.02, 0.2]", "[0.2, 0.02]", r"genuine\.false_non_match_rate must rise"),
        ("[0.02, 0.2]", "[0, 0.2]", r"genuine\.false_non_match_rate must rise"),
        ("similarity.3 = [0.5, 0.7]", "similarity.3 = [0.5]", r"genuine\.similarity\.3 must be"),
        ("[0.005, 0.3]", "[]", r"copies\.false_non_match_rate must rise"),
        ("[0.75, 0.93]", "[0.93, 0.75]", r"copies\.similarity must be one similarity"),
        ('contract = "0123', 'contract = "x123', r"statistics\.contract must be a contract id"),
        ('["fedc', '["x', r"statistics\.also_for must be a list"),
        ('["fedcba9876543210"]', '"fedcba9876543210"', r"statistics\.also_for must be a list"),
        ("[statistics]", "[statistics]\nmore = 1", r"statistics\.more is not a key"),
    ],
)
def test_invalid_statistics_are_refused(old, new, key):
    assert old in MEASURED
    with pytest.raises(InvalidCard, match=f"^bad.toml: {key}"):
        parse_card(GOOD + MEASURED.replace(old, new, 1), name="bad.toml")


SMALL = st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 4))
ROW = st.lists(SMALL, min_size=2, max_size=2).map(lambda row: tuple(sorted(row)))
ROWS = st.tuples(ROW, ROW)


@given(st.text(min_size=1).filter(str.strip), ROWS, ROWS, ROW)
def test_statistics_are_written_as_they_are_read(text, impostors, genuine, copies):
    measured_on = text.strip()
    statistics = EmbedderStatistics(
        ImpostorStatistics(measured_on, (0.1, 1e-5), (1, 3), impostors),
        Calibration(30.5, -12.25),
        GenuineStatistics(measured_on, (0.02, 0.5), (1, 5), genuine),
        CopyStatistics(measured_on, (0.005, 0.3), copies),
    )
    for before in (GOOD, GOOD + IMPOSTORS + MEASURED):
        card = with_statistics(before, statistics, contract="a" * 16, measured_on=measured_on)
        parsed = parse_card(card, name="")
        assert parsed.contracts == ("a" * 16,)
        assert parsed.statistics_for("a" * 16) == statistics
        assert parsed.sources == parse_card(GOOD, name="").sources
        again = with_statistics(card, statistics, contract="a" * 16, measured_on=measured_on)
        assert again == card


def test_other_content_of_a_card_is_kept():
    before = (
        "# mine\n" + GOOD + "\n# of them\n[impostors]\nx = 1\n[impostors.similarity]\n[[sources]]\n"
    )
    kept = with_statistics(before, EmbedderStatistics(), contract="a" * 16, measured_on="x")
    assert kept.startswith("# mine\n")
    assert "of them" not in kept
    assert "impostors" not in kept
    assert kept.count("[[sources]]") == before.count("[[sources]]")


def test_the_card_in_the_guide_is_valid():
    guide = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    first, second = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    parsed = parse_card(first + second, name="guide")
    assert parsed.impostors.template_photos == (1, 3)
    assert parsed.verification.slope == 25
    assert CleaningLimits.of(parsed.statistics_for(parsed.contracts[0])) is not None


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("slope = 1\noffset = 0", "measured_on is missing"),
        ('measured_on = "x"\nslope = 0\noffset = 0', "slope must be above 0"),
        ('measured_on = "x"\nslope = 1', "offset is missing"),
        ('measured_on = "x"\nslope = 1\noffset = 0\nmore = 1', "more is not a key"),
    ],
)
def test_invalid_verification_is_refused(table, says):
    with pytest.raises(InvalidCard, match=rf"verification\.{says}"):
        parse_card(f"{GOOD}[verification]\n{table}", name="bad.toml")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = "toy"', "", "id is missing"),
        ('id = "toy"', 'id = "../toy"', "id must be"),
        ('id = "toy"', 'id = "Toy"', "id must be"),
        ('id = "toy"', 'id = "toy"\nlicense = "MIT"', "license is not a key"),
        ('kind = "embedder"', 'kind = "oracle"', "kind must be detector or embedder"),
        ('title = "A toy"', "title = 3", "title must be text"),
        ('licence = "CC0-1.0"', 'licence = " "', "licence must not be blank"),
        ('trained_on = "nothing"', "", "trained_on is missing"),
        ("size = ", "size = -", r"weights\.size must be"),
        ("size = ", "size = 0x7fffffff", r"weights\.size must be"),
        ("size = ", "size = true #", r"weights\.size must be"),
        ("sha256 = ", 'sha256 = "abc" #', r"weights\.sha256 must be"),
        ("sha256 = ", "#", r"weights\.sha256 is missing"),
        ("[weights]", "[[weights]]", "weights must be a table"),
        ('colour = "RGB"', 'colour = "GBR"', r"input\.colour must be RGB or BGR"),
        ("side = 112", "", r"input\.side is missing"),
        ("side = 112", "side = 0", r"input\.side must be"),
        ("side = 112", "side = 112\nscale = 0", r"input\.scale must not be 0"),
        ("side = 112", "side = 112\nscale = inf", r"input\.scale must be finite"),
        ("side = 112", "side = 112\nmean = nan", r"input\.mean must be finite"),
        ("side = 112", 'side = 112\nmean = "a"', r"input\.mean must be a number"),
        ("side = 112", "side = 112\nmaen = 1", r"input\.maen is not a key"),
        ("dimension = 8", "dimension = 1.5", r"output\.dimension must be"),
        ("mientoy==1.0", "mientoy>=1.0", r"sources\[0\]\.wheel must be name==version"),
        ("mientoy==1.0", "--index-url=x==1", r"sources\[0\]\.wheel must be name==version"),
        ("mientoy==1.0", "x @ https://e.org/x.whl", r"sources\[0\]\.wheel must be name==version"),
        ("https://example", "http://example", r"sources\[1\]\.url must be an https address"),
        ("https://example", "file:///etc", r"sources\[1\]\.url must be an https address"),
        ("https://", "http://localhost.", r"sources\[1\]\.url must be an https address"),
        ('member = "', 'membre = "', r"sources\[0\]\.member is missing"),
        ("[[sources]]", "[sources]", "not TOML|array of tables"),
    ],
)
def test_an_invalid_card_is_refused_with_its_key(old, new, key):
    assert old in GOOD
    with pytest.raises(InvalidCard, match=f"^bad.toml.*({key})") as caught:
        parse_card(GOOD.replace(old, new, 1), name="bad.toml")
    assert "docs/models.md" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[0.1, 0.01]", "[0.01, 0.1]", "false_match_rate must fall"),
        ("[0.1, 0.01]", "[]", "false_match_rate must fall"),
        ("[0.1, 0.01]", "0.1", "false_match_rate must be a list"),
        ("[0.2, 0.3]", "[0.2]", r"similarity\.1 must be one similarity a rate"),
        ("[0.2, 0.3]", "[0.3, 0.2]", r"similarity\.1 must be one similarity a rate"),
        ("[0.2, 0.3]", "[0.2, 3]", r"similarity\.1 must be one similarity a rate"),
        ("similarity.1", "similarity.one", r"similarity\.one must be a number of photos"),
        ("similarity.1", "similarity.01", r"similarity\.01 must be a number of photos"),
        ("similarity.1", "similarity.9999999999", r"similarity\.9999999999 must be"),
        ("measured_on", "measured", "measured_on is missing"),
    ],
)
def test_invalid_impostor_statistics_are_refused(old, new, key):
    with pytest.raises(InvalidCard, match=rf"impostors\.({key})"):
        parse_card(GOOD + IMPOSTORS.replace(old, new, 1), name="bad.toml")


@given(st.text())
def test_any_text_is_a_card_or_refused(text):
    with pytest.raises(InvalidCard):
        parse_card(text, name="x")


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_a_changed_character_is_a_card_or_refused(place, character):
    with contextlib.suppress(InvalidCard):
        assert parse_card(GOOD[:place] + character + GOOD[place + 1 :], name="x").size > 0


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "id = \ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_hostile_text_is_refused(text):
    with pytest.raises(InvalidCard):
        parse_card(text, name="x")


@pytest.mark.usefixtures("home")
class TestFind:
    def test_an_unknown_id_is_an_error(self):
        with pytest.raises(UnknownModel, match="'no-such-model'") as caught:
            card("no-such-model")
        assert DEFAULT_EMBEDDER in caught.value.hint

    def test_a_users_card_does_not_replace_a_built_in_one(self, home):
        store = WeightStore(home)
        store.cards_folder.mkdir(parents=True)
        (store.cards_folder / "x.toml").write_text(card_text(DEFAULT_EMBEDDER))
        assert card(DEFAULT_EMBEDDER, store).publisher.startswith("OpenCV Zoo")
        assert len(all_cards(store)) == 4

    @pytest.mark.parametrize("data", [b"\xff", b"id = 3"])
    def test_a_damaged_card_is_named(self, home, data):
        (home / "cards").mkdir(parents=True)
        (home / "cards" / "mine.toml").write_bytes(data)
        with pytest.raises(InvalidCard, match=r"mine\.toml"):
            all_cards()
