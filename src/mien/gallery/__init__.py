"""People enrolled at run time: the store on disk, and the index in memory made from it."""

from mien.gallery.enrolment_checks import extract_sample, sample_of
from mien.gallery.gallery import Gallery
from mien.gallery.storage.cipher import find_key, key_text, new_key, parse_key, write_new_key
from mien.gallery.values import (
    AuditEvent,
    Enrolment,
    FaceSample,
    ImportedPerson,
    Origin,
    Person,
    Picture,
    Reason,
)

__all__ = [
    "AuditEvent",
    "Enrolment",
    "FaceSample",
    "Gallery",
    "ImportedPerson",
    "Origin",
    "Person",
    "Picture",
    "Reason",
    "extract_sample",
    "find_key",
    "key_text",
    "new_key",
    "parse_key",
    "sample_of",
    "write_new_key",
]
