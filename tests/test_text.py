from mien.text import count, percent, span
from mien.types import Interval


def test_a_count_has_its_unit():
    assert count(1, "photo") == "1 photo"
    assert count(0, "photo") == "0 photos"
    assert count(1234, "photo") == "1,234 photos"
    assert (count(1, "person", "people"), count(2, "person", "people")) == ("1 person", "2 people")


def test_rates_and_intervals_as_text():
    assert percent(0.98754) == "98.75\N{NO-BREAK SPACE}%"
    assert percent(0.5, 0) == "50\N{NO-BREAK SPACE}%"
    assert percent(float("nan")) == "unknown"
    assert span(Interval(0.5, 0.25, 0.756)) == "25.00 to 75.60\N{NO-BREAK SPACE}%"
