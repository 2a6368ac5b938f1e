"""Policies: thresholds from strangers or from the card, and reports of insufficient evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.cli.hints import hint_of
from mien.errors import TooFewPeople
from mien.measures import equal_shares, wilson
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.models.statistics import ImpostorStatistics
from mien.policy import Strangers, choose_policy, false_positive_rates, needed_for

CARD = ImpostorStatistics(
    measured_on="made-up people",
    false_match_rate=(1e-1, 1e-2, 1e-3, 1e-4),
    template_photos=(1, 3),
    similarity=((0.2, 0.3, 0.4, 0.5), (0.25, 0.35, 0.45, 0.55)),
)


def strangers(similarity, people=None, *, gallery=10, source="others"):
    similarity = np.asarray(similarity, np.float32)
    labels = np.arange(len(similarity)) if people is None else np.asarray(people)
    weights = equal_shares(labels) if len(labels) else np.zeros(0)
    return Strangers(similarity, weights, len(np.unique(labels)), gallery, source)


def counts(people, photos=1):
    return np.full(people, photos, np.int64)


def named(group, threshold):
    """Return the share of strangers named, each of equal weight, in plain Python."""
    total = 0.0
    for similarity, weight in zip(group.similarity, group.weights, strict=True):
        total += weight * bool(similarity >= np.float32(threshold))
    return total / group.people


def test_by_hand():
    # 300 strangers at 0.001, 0.002 … 0.300: one in a hundred are the three most similar.
    group = strangers(np.arange(1, 301) / 1000)
    choice = choose_policy([group], counts(10), 0.01)
    policy = choice.policy
    assert policy.threshold == np.nextafter(np.float32(0.297), np.float32(1))
    assert policy.expected == wilson(3, 300)
    assert (policy.supported, policy.basis) == (True, "strangers")
    assert (policy.strangers, policy.false_positive_rate, choice.people) == (300, 0.01, 300)
    assert policy.support == "supported by measurement"
    assert policy.source == "Measured on strangers: 300 of others."
    assert choice.supportable == pytest.approx(0.01)
    assert choice.warnings == ()


@st.composite
def crowds(draw, least=1):
    """Draw strangers, some with several photos; similarities repeat, so that there are ties."""
    count = draw(st.integers(least, 400))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    photos = generator.integers(1, draw(st.integers(2, 6)), count)
    steps = draw(st.sampled_from([7, 100, 10**6]))
    similarity = generator.integers(-steps, steps + 1, int(photos.sum())) / steps
    return strangers(similarity, np.repeat(np.arange(count), photos))


rates = st.floats(1e-4, 0.999)


@given(crowds(), rates)
def test_rate_of_the_given_strangers_is_at_most_the_requested_one(group, rate):
    policy = choose_policy([group], counts(10), rate).policy
    assert named(group, policy.threshold) <= rate + 1e-9
    assert policy.expected.value == pytest.approx(named(group, policy.threshold), abs=1e-9)
    assert policy.expected.low <= policy.expected.value <= policy.expected.high


@given(crowds(), rates)
def test_no_threshold_is_higher_than_it_must_be(group, rate):
    choice = choose_policy([group], counts(10), rate)
    if choice.policy.basis != "strangers":
        return
    # The next lower similarity that a stranger has would name too many.
    below = group.similarity[group.similarity < np.float32(choice.policy.threshold)]
    if len(below):
        assert named(group, below.max()) > rate


@given(crowds(), rates, rates)
def test_a_higher_rate_gives_a_lower_threshold(group, one, other):
    low, high = sorted((one, other))
    strict = choose_policy([group], counts(10), low).policy.threshold
    assert choose_policy([group], counts(10), high).policy.threshold <= strict


@given(crowds(), st.integers(1, 5))
def test_repeated_photos_change_nothing(group, times):
    """A stranger with repeated photos still has weight 1."""
    again = Strangers(
        np.repeat(group.similarity, times),
        np.repeat(group.weights / times, times),
        group.people,
        group.gallery,
        group.source,
    )
    for rate in (0.01, 0.1, 0.5):
        one = choose_policy([group], counts(10), rate).policy
        other = choose_policy([again], counts(10), rate).policy
        assert other.threshold == one.threshold
        assert other.expected.value == pytest.approx(one.expected.value)


@given(crowds(), rates)
def test_supported_means_enough_strangers(group, rate):
    policy = choose_policy([group], counts(10), rate).policy
    assert policy.supported == (group.people >= needed_for(rate))
    if policy.supported:
        # Three times the rate, with a margin of one stranger.
        assert policy.expected.high <= 3 * rate + 1 / group.people


def test_rate_is_corrected_for_smaller_galleries():
    # Independent comparisons: F = 1 - (1 - p)^P, so from P' = 5 to P = 10 people F grows to
    # 1 - (1 - F)^2, as Šidák's correction has it.
    group = strangers(np.arange(1, 1001) / 1000, gallery=5)
    policy = choose_policy([group], counts(10), 0.19).policy
    share = named(group, policy.threshold)
    assert share == pytest.approx(0.1)
    assert policy.expected.value == pytest.approx(1 - 0.9**2)
    full = strangers(np.arange(1, 1001) / 1000, gallery=10)
    assert choose_policy([full], counts(10), 0.19).policy.threshold < policy.threshold


def test_photos_are_counted_beside_people():
    group = strangers([0.1] * 400, np.repeat(np.arange(200), 2))
    other = strangers([0.2] * 150)
    choice = choose_policy([group, other], counts(10), 0.01)
    assert (choice.policy.strangers, choice.people) == (550, 350)
    assert choice.supportable == pytest.approx(3 / 350)


def test_groups_are_weighted_by_people():
    few = strangers([0.9] * 10, source="friends")
    many = strangers([0.1] * 290)
    policy = choose_policy([few, many], counts(10), 0.04).policy
    assert policy.threshold == np.nextafter(np.float32(0.1), np.float32(1))
    assert policy.expected == wilson(10, 300)
    assert "10 of friends; 290 of others" in policy.source


def test_too_few_strangers_and_nothing_else_known():
    group = strangers([0.1, 0.2, 0.4])
    choice = choose_policy([group], counts(4), 0.01)
    policy = choice.policy
    assert policy.threshold == np.nextafter(np.float32(0.4), np.float32(1))
    assert (policy.supported, policy.basis) == (False, "few")
    assert (policy.strangers, policy.false_positive_rate, choice.people) == (3, 0.01, 3)
    assert policy.expected == wilson(0, 3)
    (warning,) = choice.warnings
    assert "1 % cannot be supported: that takes 300 strangers, and 3 are there, 297" in warning.text
    assert "So few can support no rate" in warning.text
    assert warning.code == "too-few-strangers"
    assert warning.data == {"rate": 0.01, "needed": 300, "strangers": 3, "supportable": 1}
    assert choice.supportable == 1
    more = choose_policy([strangers(np.linspace(0, 0.4, 30))], counts(4), 0.01)
    assert "The nearest rate that can be supported is 10 %." in more.warnings[0].text


def test_no_strangers_and_no_statistics():
    with pytest.raises(TooFewPeople) as caught:
        choose_policy([], counts(1), 0.01)
    assert "give strangers" in caught.value.hint
    assert "--strangers" in hint_of(caught.value)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, float("nan")])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_policy([strangers([0.1])], counts(2), rate)


def test_the_card_by_hand():
    # One person, one photo: FPIR = FMR, on the card 1 % at 0.3. With three photos: at 0.35.
    for photos, expected in ((1, 0.3), (2, 0.3), (3, 0.35), (9, 0.35)):
        policy = choose_policy([], counts(1, photos), 0.01, statistics=CARD).policy
        assert policy.threshold == pytest.approx(expected, abs=6e-4)
        assert policy.expected.value == pytest.approx(0.01, rel=0.02)
        assert (policy.expected.low, policy.expected.high) == (0, 1)  # nothing measured here
        assert (policy.supported, policy.basis) == (True, "card")
        assert policy.support == "supported by the embedder's card, not measured on this data"
        assert "Not measured here: 300 strangers are needed to measure 1 %." in policy.source


def test_rate_by_the_card_grows_with_the_gallery():
    # 1 - (1 - FMR)^P = 1 % of ten people is an FMR of 0.1005 %: just under 0.4.
    policy = choose_policy([], counts(10), 0.01, statistics=CARD).policy
    assert policy.threshold == pytest.approx(0.4, abs=1e-3)
    mixed = np.array([1] * 5 + [3] * 5)
    between = choose_policy([], mixed, 0.01, statistics=CARD).policy
    assert 0.4 < between.threshold < 0.45


@given(st.integers(1, 500), rates)
def test_supported_means_within_the_statistics_of_the_card(people, rate):
    choice = choose_policy([], counts(people), rate, statistics=CARD)
    policy = choice.policy
    assert policy.supported == (policy.expected.value <= rate + 1e-12)
    lowest = 1 - (1 - 1e-4) ** people
    assert policy.supported == (lowest <= rate + 1e-12)
    if not policy.supported:
        assert choice.supportable == pytest.approx(lowest)
        assert "cannot be supported" in choice.warnings[-1].text


def test_a_rate_below_the_card_takes_its_strictest_threshold():
    # Of 500 people with three photos each the card knows nothing above 0.55.
    for people, rate in ((500, 0.01), (2, 1e-4)):
        choice = choose_policy([], counts(people, 3), rate, statistics=CARD)
        assert not choice.policy.supported
        assert choice.policy.threshold == pytest.approx(0.55, abs=6e-4)
        lowest = 1 - (1 - 1e-4) ** people
        assert choice.policy.expected.value == pytest.approx(lowest)
        assert choice.supportable == pytest.approx(lowest)


def test_people_more_similar_than_the_card_reaches_are_above_its_strictest_threshold():
    group = strangers([0.7, 0.1, 0.2])
    choice = choose_policy([group], counts(500), 0.01, statistics=CARD)
    assert not choice.policy.supported
    assert choice.policy.threshold == np.nextafter(np.float32(0.7), np.float32(1))


def test_rate_from_the_card_and_interval_from_the_few_people():
    group = strangers([0.1, 0.15], source="this gallery's own people, each left out in turn")
    choice = choose_policy([group], counts(2), 0.01, statistics=CARD)
    policy = choice.policy
    # The rate is from the card, the wide interval from the two people searched.
    assert policy.expected.value == pytest.approx(0.01, rel=0.02)
    assert policy.expected.high == wilson(0, 2).high
    assert policy.supported
    assert policy.support.endswith("not measured on this data")
    assert "Too few to measure it here (300 strangers are needed" in policy.source
    assert "): 2 of this gallery's own people" in policy.source
    assert (choice.people, choice.warnings) == (2, ())
    assert (policy.strangers, policy.false_positive_rate) == (2, 0.01)


def test_people_more_similar_than_the_card_raise_the_threshold():
    family = strangers([0.8, 0.7, 0.75, 0.2, 0.1, 0.72], gallery=6, source="the family")
    choice = choose_policy([family], counts(6), 0.01, statistics=CARD)
    assert choice.policy.threshold > 0.8
    # The card does not apply to them, and six people do not support the rate.
    assert not choice.policy.supported
    assert choice.supportable == pytest.approx(0.5)
    first, second = choice.warnings
    assert "look more alike than the strangers on the card (66.7% of them" in first.text
    assert "294 too few" in second.text


def test_one_lookalike_of_many_does_not_contradict_the_card():
    group = strangers([0.8] + [0.1] * 59, gallery=60)
    policy = choose_policy([group], counts(60), 0.02, statistics=CARD).policy
    assert policy.supported
    assert policy.threshold < 0.8


def test_card_does_not_support_a_learned_head():
    group = strangers([0.1, 0.6])
    choice = choose_policy([group], counts(2), 0.01, statistics=CARD, plain=False)
    assert not choice.policy.supported
    assert choice.policy.threshold > 0.6
    assert "not of this head" in choice.warnings[0].text
    assert "cannot be supported" in choice.warnings[1].text
    assert choice.supportable == 1
    nothing = choose_policy([], counts(2), 0.01, statistics=CARD, plain=False)
    assert (nothing.supportable, nothing.people) == (1, 0)
    assert "So few can support no rate" in nothing.warnings[1].text


def test_enough_strangers_take_precedence_over_the_card():
    group = strangers(np.linspace(0, 0.2, 300))
    policy = choose_policy([group], counts(2), 0.01, statistics=CARD).policy
    assert policy.basis == "strangers"
    assert policy.threshold < 0.2


@settings(max_examples=30)
@given(st.integers(1, 2000), rates)
def test_the_real_card(people, rate):
    statistics = card(DEFAULT_EMBEDDER).impostors
    policy = choose_policy([], counts(people, 3), rate, statistics=statistics).policy
    assert 0.1 < policy.threshold < 0.54
    assert policy.supported == (policy.expected.value <= rate + 1e-12)


def test_rules_of_three():
    assert [needed_for(rate) for rate in (0.5, 0.1, 0.01, 0.001)] == [6, 30, 300, 3000]


def test_rates_of_the_strangers_searched_by_hand():
    group = strangers([0.1, 0.2, 0.3, 0.4])
    similarities = np.array([0.05, 0.1, 0.15, 0.2, 0.35, 0.4, 0.45, 1.0], np.float32)
    # A stranger at a similarity reaches it; above all four the rate is at least one in four.
    assert false_positive_rates([group], counts(10), similarities) == pytest.approx(
        [1, 1, 0.75, 0.75, 0.25, 0.25, 0.25, 0.25]
    )


def test_rates_are_of_the_whole_gallery():
    half = strangers([0.1, 0.2, 0.3, 0.4], gallery=5)
    similarities = np.array([0.15, 0.35], np.float32)
    assert false_positive_rates([half], counts(10), similarities) == pytest.approx(
        [1 - 0.25**2, 1 - 0.75**2]
    )


def test_a_stranger_counts_once_in_the_rates():
    group = strangers([0.3, 0.3, 0.3, 0.1], ["Ada", "Ada", "Ada", "Bob"])
    friends = strangers([0.3, 0.3], source="friends")
    similarities = np.array([0.2, 0.31], np.float32)
    assert false_positive_rates([group], counts(10), similarities) == pytest.approx([0.5, 0.5])
    assert false_positive_rates([group, friends], counts(10), similarities) == pytest.approx(
        [0.75, 0.25]
    )
    empty = strangers([])
    assert false_positive_rates([group, empty], counts(10), similarities) == pytest.approx(
        [0.5, 0.5]
    )


def test_the_higher_of_the_measured_and_the_card_s_rate_counts():
    similarities = np.array([0.2, 0.3, 0.35, 0.4, 0.5, 0.9], np.float32)
    card_alone = false_positive_rates([], counts(1), similarities, statistics=CARD)
    assert card_alone == pytest.approx([0.1, 0.01, 10**-2.5, 1e-3, 1e-4, 1e-4], rel=1e-4)
    # One of fifty at 0.35; the card's rate is higher at 0.2, and the only one above 0.35.
    group = strangers([0.35] + [0.1] * 49, gallery=1)
    both = false_positive_rates([group], counts(1), similarities, statistics=CARD)
    assert both == pytest.approx([0.1, 0.02, 0.02, 1e-3, 1e-4, 1e-4], rel=1e-4)


def test_without_strangers_and_card_no_rate_is_known():
    similarities = np.array([0.2], np.float32)
    assert false_positive_rates([], counts(1), similarities) is None
    assert false_positive_rates([strangers([])], counts(1), similarities) is None


@given(crowds(), st.integers(1, 50))
def test_rates_fall_with_the_similarity(group, people):
    similarities = np.linspace(-1, 1, 81, dtype=np.float32)
    for statistics in (None, CARD):
        found = false_positive_rates([group], counts(people), similarities, statistics=statistics)
        assert np.all(np.diff(found) <= 1e-12)
        assert np.all((found > 0) & (found <= 1))
