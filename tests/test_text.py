import json

from mien.html import tag
from mien.text import (
    controls_escaped,
    controls_replaced,
    count,
    percent,
    printable,
    span,
    without_controls,
)
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


EVIL = "Ada\x1b[2J\x9b31m\rBob\u202e \x7fZoe\u0308\n\t"


def test_a_strangers_name_becomes_printable():
    assert printable(EVIL) == "Ada\ufffd[2J\ufffd31m\ufffdBob\ufffd \ufffdZo\u00eb\ufffd\ufffd"
    assert printable("a\udc80") == "a?"
    assert printable("abcdef", 3) == "abc"


def test_control_characters_are_left_out_or_replaced():
    assert without_controls(EVIL) == "Ada[2J31mBob Zoe\u0308\n\t"
    assert controls_replaced(EVIL).count("\ufffd") == 5
    assert json.loads(controls_escaped(json.dumps([EVIL], ensure_ascii=False))) == [EVIL]
    assert not {"\x9b", "\x7f", "\u202e"} & set(controls_escaped(json.dumps(EVIL)))


def test_a_page_has_no_control_characters():
    page = tag("p", EVIL, title=EVIL)
    assert not {"\x1b", "\x9b", "\x7f", "\r", "\u202e"} & set(page)
    assert "Ada\ufffd[2J" in page
