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
from mien.policy import (
    ImpostorHistogram,
    OwnPeople,
    Strangers,
    choose_policy,
    false_positive_rates,
    needed_for,
)
from mien.policy.own_people import PRIOR_PAIRS

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
    return Strangers(similarity[:, None], weights, len(np.unique(labels)), gallery, source)


def counts(people, photos=1):
    return np.full(people, photos, np.int64)


def named(group, threshold):
    """Return the share of strangers named, each of equal weight, in plain Python."""
    total = 0.0
    for similarity, weight in zip(group.similarity, group.weights, strict=True):
        total += weight * bool(similarity >= np.float32(threshold))
    return total / group.people


def test_by_hand():
    # 300 strangers at 0.001, 0.002 … 0.300: 2 of them and one more are at most 1 % of 301.
    group = strangers(np.arange(1, 301) / 1000)
    choice = choose_policy([group], counts(10), 0.01)
    policy = choice.policy
    assert policy.threshold == np.nextafter(np.float32(0.298), np.float32(1))
    assert policy.expected == wilson(2, 300)
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
    # The next lower similarity that a stranger has would name too many, with one more stranger.
    below = group.similarity[group.similarity < np.float32(choice.policy.threshold)]
    if len(below):
        expected = (group.people * named(group, below.max()) + 1) / (group.people + 1)
        assert expected > rate - 1e-9


@given(crowds(), rates, rates)
def test_a_higher_rate_gives_a_lower_threshold(group, one, other):
    low, high = sorted((one, other))
    strict = choose_policy([group], counts(10), low).policy.threshold
    assert choose_policy([group], counts(10), high).policy.threshold <= strict


@given(crowds(), st.integers(1, 5))
def test_repeated_photos_change_nothing(group, times):
    """A stranger with repeated photos still has weight 1."""
    again = Strangers(
        np.repeat(group.similarities, times, axis=0),
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
    group = strangers(np.arange(1, 1000) / 1000, gallery=5)
    policy = choose_policy([group], counts(10), 0.19).policy
    share = named(group, policy.threshold)
    assert share == pytest.approx(99 / 999)  # and one more of 1,000: 10 %
    assert policy.expected.value == pytest.approx(1 - (1 - 99 / 999) ** 2)
    full = strangers(np.arange(1, 1000) / 1000, gallery=10)
    assert choose_policy([full], counts(10), 0.19).policy.threshold < policy.threshold


def test_a_large_group_does_not_hide_a_small_one():
    # All 100 friends look like someone here, and none of 10,000 others does.
    few = strangers(np.linspace(0.7, 0.8, 100), source="friends")
    many = strangers(np.linspace(0.0, 0.3, 10_000))
    for groups in ([few, many], [many, few]):
        choice = choose_policy(groups, counts(10), 0.04)
        policy = choice.policy
        assert 0.79 < policy.threshold < 0.8
        assert policy.expected == wilson(3, 100)  # of the group with the highest rate
        assert "100 of friends" in policy.source
        rates = {group.source: group.rate.value for group in choice.groups}
        assert rates == {"friends": 0.03, "others": 0.0}


def test_a_group_too_small_to_measure_a_rate_can_contradict_it():
    lookalikes = strangers([0.6] * 5 + [0.1] * 15, source="lookalikes")
    many = strangers(np.linspace(0.0, 0.3, 10_000))
    choice = choose_policy([many, lookalikes], counts(10), 0.01)
    assert choice.policy.threshold == np.nextafter(np.float32(0.6), np.float32(1))
    assert not choice.policy.supported
    assert choice.warnings[0].code == "people-more-alike-than-card"
    # One of 20 may be chance.
    one = strangers([0.6] + [0.1] * 19)
    assert choose_policy([many, one], counts(10), 0.01).policy.threshold < 0.3


def own_people(similarity, impostors=None):
    """Return people of a gallery with these similarities to the nearest other."""
    group = strangers(similarity, gallery=max(1, len(similarity) - 1), source="own people")
    histogram = ImpostorHistogram()
    if impostors is not None:
        faces = np.stack([impostors, np.sqrt(1 - np.square(impostors))], axis=1)
        histogram.add(faces.astype(np.float32), np.eye(1, 2, dtype=np.float32), np.ones(len(faces)))
    return OwnPeople(group, histogram)


def test_the_card_moves_to_where_the_own_people_lie():
    # On the card one comparison in ten reaches 0.2; among 80 people here it is 0.3.
    alike = np.linspace(0.0, 0.3 / 0.9, 1001)
    seen = own_people([0.2] * 80, alike)
    moved = choose_policy([], counts(80), 0.05, own=seen, statistics=CARD)
    card_alone = choose_policy([], counts(80), 0.05, statistics=CARD).policy
    weight = seen.pairs / (seen.pairs + PRIOR_PAIRS)
    assert moved.policy.shift == pytest.approx(0.1 * weight, abs=1e-3)
    assert moved.policy.threshold == pytest.approx(
        card_alone.threshold + moved.policy.shift, abs=1e-3
    )
    assert moved.policy.supported
    assert not card_alone.supported  # nothing is known of how alike the people look
    # People who look less alike than the card's lower it.
    different = choose_policy(
        [], counts(80), 0.05, own=own_people([0.1] * 80, alike - 0.2), statistics=CARD
    )
    assert different.policy.threshold < card_alone.threshold


def test_few_own_people_move_the_card_little():
    alike = np.linspace(0.0, 0.3 / 0.9, 1001)
    shifts = [
        choose_policy(
            [], counts(n), 0.05, own=own_people([0.2] * n, alike), statistics=CARD
        ).policy.shift
        for n in (2, 10, 80)
    ]
    assert shifts == sorted(shifts)
    assert shifts[0] < 0.005


def test_a_confidence_raises_the_threshold():
    group = strangers(np.arange(1, 1001) / 1000)
    average = choose_policy([group], counts(10), 0.02).policy
    sure = choose_policy([group], counts(10), 0.02, confidence=0.95).policy
    assert named(group, average.threshold) == pytest.approx(0.019)
    assert named(group, sure.threshold) == pytest.approx(0.012)  # exact: 1.96 % at most, of 95 %
    own = own_people([0.2] * 30, np.linspace(0.0, 0.25, 1001))
    card = choose_policy([], counts(30), 0.05, own=own, statistics=CARD).policy
    surer = choose_policy([], counts(30), 0.05, own=own, statistics=CARD, confidence=0.95).policy
    assert surer.threshold > card.threshold
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_policy([group], counts(10), 0.02, confidence=1.5)


def test_photos_are_counted_beside_people():
    group = strangers([0.1] * 400, np.repeat(np.arange(200), 2))
    other = strangers([0.2] * 150)
    choice = choose_policy([group, other], counts(10), 0.01)
    assert (choice.policy.strangers, choice.people) == (550, 350)
    assert choice.supportable == pytest.approx(3 / 200)  # of the largest group


def test_too_few_strangers_and_nothing_else_known():
    group = strangers([0.1, 0.2, 0.4])
    choice = choose_policy([group], counts(4), 0.01)
    policy = choice.policy
    assert policy.threshold == np.nextafter(np.float32(0.4), np.float32(1))
    assert (policy.supported, policy.basis) == (False, "few")
    assert (policy.strangers, policy.false_positive_rate, choice.people) == (3, 0.01, 3)
    assert policy.expected == wilson(0, 3)
    assert policy.source == "Too few strangers to measure 1 %: 3 of others."
    (warning,) = choice.warnings
    assert "1 % cannot be supported: that takes 300 strangers, and 3 are there, 297" in warning.text
    assert "So few can support no rate" in warning.text
    assert warning.code == "too-few-strangers"
    assert warning.data == {"rate": 0.01, "needed": 300, "strangers": 3, "supportable": 1}
    assert choice.supportable == 1
    more = choose_policy([strangers(np.linspace(0, 0.4, 30))], counts(4), 0.01)
    assert "The nearest rate that can be supported is 10 %." in more.warnings[0].text


def test_own_people_count_as_strangers_where_there_is_no_card():
    own = own_people(np.linspace(0, 0.3, 300))
    choice = choose_policy([], counts(300), 0.01, own=own)
    assert (choice.policy.supported, choice.policy.basis) == (True, "strangers")
    few = choose_policy([], counts(200), 0.01, own=own_people(np.linspace(0, 0.3, 200)))
    assert few.policy.source == "Too few strangers to measure 1 %: 200 of own people."
    assert few.supportable == pytest.approx(3 / 200)


def test_no_rate_that_is_not_supported_is_said_to_be():
    # 500 people are enough to measure 2 % beside a card, which is not of a learned head.
    own = own_people(np.linspace(0, 0.1, 500))
    choice = choose_policy([], counts(500), 0.01, own=own, statistics=CARD, plain=False)
    assert choice.supportable == pytest.approx(0.02)
    assert choice.warnings[-1].code == "too-few-strangers"
    assert "takes 300 strangers, and 0 are there" in choice.warnings[-1].text
    again = choose_policy([], counts(500), 0.02, own=own, statistics=CARD, plain=False)
    assert again.policy.supported


def test_a_group_that_contradicts_is_the_one_with_too_few():
    many, few = strangers([0.1] * 400), strangers([0.8] * 50, source="friends")
    own = own_people([0.1] * 30)
    choice = choose_policy([many, few], counts(30), 0.01, own=own, statistics=CARD)
    assert not choice.policy.supported
    assert choice.supportable == pytest.approx(3 / 50)
    assert "takes 300 of friends, and 50 are there, 250 too few" in choice.warnings[-1].text


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
        assert policy.expected.low < 0.01 < policy.expected.high
        # One person does not show how alike people here look.
        assert (policy.supported, policy.basis) == (False, "card")
        assert "Not measured here: 300 strangers are needed to measure 1 %." in policy.source


def test_rate_by_the_card_grows_with_the_gallery():
    # 1 - (1 - FMR)^P = 1 % of ten people is an FMR of 0.1005 %: just under 0.4.
    policy = choose_policy([], counts(10), 0.01, statistics=CARD).policy
    assert policy.threshold == pytest.approx(0.4, abs=1e-3)
    mixed = np.array([1] * 5 + [3] * 5)
    between = choose_policy([], mixed, 0.01, statistics=CARD).policy
    assert 0.4 < between.threshold < 0.45


@given(st.integers(20, 500), st.floats(1e-4, 0.02))
def test_supported_means_within_the_statistics_of_the_card(people, rate):
    own = own_people([0.0] * people)  # at most 500: too few to measure 2 % themselves
    choice = choose_policy([], counts(people), rate, own=own, statistics=CARD)
    policy = choice.policy
    lowest = 1 - (1 - 1e-4) ** people
    assert policy.supported == (lowest <= rate + 1e-12)
    assert policy.expected.value <= max(rate, lowest) + 1e-9
    if not policy.supported:
        # The threshold is the highest that the card states.
        assert policy.threshold == pytest.approx(0.55, abs=1e-3)
        assert choice.supportable == pytest.approx(min(lowest, 1, 10 / people))
        assert "cannot be supported" in choice.warnings[-1].text
    else:
        assert policy.support == "supported by the embedder's card, not measured on this data"


def test_a_rate_below_the_card_takes_its_strictest_threshold():
    # Of 500 people with three photos each the card knows nothing above 0.55.
    for people, rate in ((500, 0.01), (2, 1e-4)):
        choice = choose_policy([], counts(people, 3), rate, statistics=CARD)
        assert not choice.policy.supported
        assert choice.policy.threshold == pytest.approx(0.55, abs=6e-4)
        assert choice.policy.expected.value == pytest.approx(1 - (1 - 1e-4) ** people)


def test_few_people_and_the_card():
    own = own_people([0.1, 0.15])
    choice = choose_policy([], counts(2), 0.01, own=own, statistics=CARD)
    policy = choice.policy
    assert policy.expected.value == pytest.approx(0.01, rel=0.02)
    assert not policy.supported
    assert "Too few to measure it here (300 strangers are needed" in policy.source
    assert "): 2 of own people" in policy.source
    (few,) = choice.warnings
    assert "0 are there, 300 too few; or 20 people in the gallery" in few.text
    assert choice.people == 2
    assert (policy.strangers, policy.false_positive_rate) == (2, 0.01)


def test_people_more_similar_than_the_card_raise_the_threshold():
    family = own_people([0.8, 0.7, 0.75, 0.2, 0.1, 0.72])
    choice = choose_policy([], counts(6), 0.01, own=family, statistics=CARD)
    assert choice.policy.threshold > 0.8
    # The card does not apply to them, and six people do not support the rate.
    assert not choice.policy.supported
    assert choice.supportable == 1
    first, second = choice.warnings
    assert first.code == "people-more-alike-than-card"
    assert "takes 1,000 of own people, and 6 are there, 994 too few" in second.text


def test_a_stranger_at_the_threshold_itself_is_named():
    """So many at the card's threshold contradict the card; a little below it they do not."""
    threshold = np.float32(choose_policy([], counts(10), 0.01, statistics=CARD).policy.threshold)
    for similarity, raised in ((threshold, True), (threshold - np.float32(1e-3), False)):
        group = strangers([similarity] * 20 + [0.1] * 80)
        policy = choose_policy([group], counts(10), 0.01, statistics=CARD).policy
        assert (policy.threshold > threshold) == raised


def test_one_lookalike_of_many_does_not_contradict_the_card():
    own = own_people([0.8] + [0.1] * 59)
    policy = choose_policy([], counts(60), 0.02, own=own, statistics=CARD).policy
    assert policy.supported
    assert policy.threshold < 0.8


def test_card_does_not_support_a_learned_head():
    own = own_people([0.1] * 30)
    choice = choose_policy([], counts(30), 0.01, own=own, statistics=CARD, plain=False)
    assert not choice.policy.supported
    assert "not of this head" in choice.warnings[0].text
    assert "cannot be supported" in choice.warnings[1].text
    assert choice.supportable == pytest.approx(1 / 3)  # which would name ten of the 30
    nothing = choose_policy([], counts(2), 0.01, statistics=CARD, plain=False)
    assert (nothing.supportable, nothing.people) == (1, 0)
    assert "So few can support no rate" in nothing.warnings[1].text


def test_strangers_do_not_lower_the_threshold_of_the_card():
    # They may be of another kind than those who will come.
    group = strangers(np.linspace(0, 0.2, 300))
    own = own_people([0.1] * 30)
    policy = choose_policy([group], counts(30), 0.01, own=own, statistics=CARD).policy
    card_alone = choose_policy([], counts(30), 0.01, own=own, statistics=CARD).policy
    assert (policy.basis, policy.supported) == ("strangers", True)
    assert policy.threshold == card_alone.threshold
    # Ten people who look more alike than the strangers given do not show how much.
    few = choose_policy([group], counts(10), 0.01, own=own_people([0.1] * 10), statistics=CARD)
    assert not few.policy.supported
    assert few.supportable == 1
    assert few.warnings[-1].code == "too-few-people"
    assert "it takes 20 people to see how much" in few.warnings[-1].text


@settings(max_examples=30)
@given(st.integers(1, 2000), rates)
def test_the_real_card(people, rate):
    statistics = card(DEFAULT_EMBEDDER).impostors
    policy = choose_policy([], counts(people, 3), rate, statistics=statistics).policy
    assert 0.1 < policy.threshold < 0.57
    assert not policy.supported  # no people of the gallery are known


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
    # The highest rate of any group: all friends reach 0.2, and half of the others 0.31.
    assert false_positive_rates([group, friends], counts(10), similarities) == pytest.approx(
        [1, 0.5]
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
