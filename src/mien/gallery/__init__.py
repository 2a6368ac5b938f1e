"""People enrolled at run time: the store, which is the truth, and the index made of it."""

from mien.gallery.gallery import Gallery
from mien.gallery.guard import look, sighting_of
from mien.gallery.sealing import find_key, key_text, new_key, parse_key, write_new_key
from mien.gallery.values import (
    Answer,
    Enrolment,
    Event,
    Match,
    Newcomer,
    Origin,
    Person,
    Picture,
    Reason,
    Sighting,
)

__all__ = [
    "Answer",
    "Enrolment",
    "Event",
    "Gallery",
    "Match",
    "Newcomer",
    "Origin",
    "Person",
    "Picture",
    "Reason",
    "Sighting",
    "find_key",
    "key_text",
    "look",
    "new_key",
    "parse_key",
    "sighting_of",
    "write_new_key",
]
