"""After any sequence of changes a gallery holds the same as a plain dictionary."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from spheres import ORIGIN, face_sample, unit

from mien.errors import NameTaken, UnknownPerson
from mien.gallery import Gallery
from mien.gallery.exchange.transfer import Export, export_gallery, import_into
from mien.gallery.integrity import check_gallery
from mien.names import readable

KEYS = [None, bytes(32), bytes(range(32))]
NAMES = st.sampled_from(["Ada", "ada", "Émilie", "Sof'ja", "张伟", "  Ada ", "x_y", "x y"])


def spelled(name):
    """Return the key by which two of NAMES are equal."""
    return " ".join(name.replace("_", " ").split()).casefold()


class Machine(RuleBasedStateMachine):
    people = Bundle("people")

    @initialize(key=st.sampled_from(KEYS))
    def create(self, key):
        self.folder = Path(tempfile.mkdtemp(prefix="mien-gallery-"))
        self.key = key
        self.gallery = Gallery.create(self.folder / "g", ORIGIN, thumbnails=True, key=key)
        self.model: dict[str, dict] = {}

    def teardown(self):
        if hasattr(self, "gallery"):
            assert check_gallery(self.gallery).faults == ()
            self.gallery.close()
            shutil.rmtree(self.folder)

    def named(self, name):
        return [p for p, row in self.model.items() if spelled(row["name"]) == spelled(name)]

    @rule(target=people, name=NAMES, consent=st.text(max_size=20))
    def add(self, name, consent):
        if self.named(name):
            with pytest.raises(NameTaken):
                self.gallery.add_person(name, consent=consent)
            return multiple()
        person = self.gallery.add_person(name, consent=consent)
        shown = " ".join(name.split())
        self.model[person.id] = {"name": shown, "consent": consent, "photos": {}}
        return person.id

    @rule(person=people, who=st.integers(0, 5), photo=st.integers(0, 4), force=st.booleans())
    def enrol(self, person, who, photo, force):
        if person not in self.model:
            return
        photos = self.model[person]["photos"]
        sample = face_sample(who, photo)
        enrolment = self.gallery.enrol(person, sample, force=force)
        if sample.sha256 in photos:
            assert (enrolment.taken, enrolment.reason) == (False, "already-enrolled")
            assert enrolment.picture == photos[sample.sha256][0]
        elif enrolment.taken:
            photos[sample.sha256] = (enrolment.picture, sample)
        else:
            assert not force

    @rule(person=people, name=NAMES)
    def rename(self, person, name):
        if person not in self.model:
            with pytest.raises(UnknownPerson):
                self.gallery.rename(person, name)
        elif set(self.named(name)) - {person}:
            with pytest.raises(NameTaken):
                self.gallery.rename(person, name)
        else:
            self.gallery.rename(person, name)
            self.model[person]["name"] = " ".join(name.split())

    @rule(person=people, other=people)
    def merge(self, person, other):
        if not {person, other} <= self.model.keys():
            with pytest.raises(UnknownPerson):
                self.gallery.merge(person, other)
            return
        self.gallery.merge(person, other)
        if person != other:
            gone, kept = self.model.pop(other), self.model[person]
            kept["photos"] = {**gone["photos"], **kept["photos"]}
            kept["consent"] = kept["consent"] or gone["consent"]

    @rule(person=consumes(people))
    def forget(self, person):
        if person in self.model:
            self.gallery.forget(person)
            del self.model[person]
        with pytest.raises(UnknownPerson):
            self.gallery.forget(person)

    @rule(person=people, draw=st.randoms())
    def forget_picture(self, person, draw):
        photos = self.model.get(person, {}).get("photos")
        if photos:
            gone = draw.choice(sorted(photos))
            self.gallery.forget_picture(photos.pop(gone)[0])

    @rule(person=people, who=st.integers(0, 5))
    def reject(self, person, who):
        if person in self.model:
            self.gallery.reject(person, face_sample(who, 9).embedding)

    @rule(person=people, consent=st.text(max_size=20))
    def note(self, person, consent):
        if person in self.model:
            self.gallery.note_consent(person, consent)
            self.model[person]["consent"] = readable(consent)

    @rule(rate=st.sampled_from([0.01, 0.02]))
    def set_rate(self, rate):
        self.gallery.set_rate(rate)

    @rule()
    def record(self):
        self.gallery.audit("identified", list(self.model))

    @rule()
    def open_again(self):
        self.gallery.close()
        self.gallery = Gallery.open(self.folder / "g", key=self.key)

    @rule()
    def open_in_another_process(self):
        before, self.gallery = self.gallery, Gallery.open(self.folder / "g", key=self.key)
        before.close()

    @rule(key=st.sampled_from(KEYS))
    def rotate(self, key):
        self.gallery.rotate_key(key)
        self.key = key

    @rule(person=people)
    def fail_half_way(self, person):
        """A change that fails is undone, also in the digest."""
        if person in self.model:
            with (
                self.gallery.exclusively() as store,
                suppress(ZeroDivisionError),
                store.database.writing(),
            ):
                store.delete_person(store.person("id", person)[0])
                raise ZeroDivisionError

    @precondition(lambda self: self.model)
    @rule()
    def export_and_import(self):
        """An exported gallery that is imported elsewhere identifies people identically."""
        elsewhere = self.folder / "elsewhere"
        data = export_gallery(self.gallery)
        import_into(elsewhere, Export(data, key=self.key), key=self.key)
        with Gallery.open(elsewhere, key=self.key) as other:
            mine, theirs = self.gallery.head(), other.head()
            assert theirs.people == mine.people
            assert theirs.prototypes.tobytes() == mine.prototypes.tobytes()
            assert theirs.policy == mine.policy
            assert len(theirs.negatives) == len(mine.negatives)
        shutil.rmtree(elsewhere)

    @invariant()
    def same_as_the_model(self):
        if not hasattr(self, "gallery"):
            return
        with self.gallery.exclusively() as store:
            assert list(store.database.faults()) == []  # the digest is that of all rows
        found = {p.id: (p.name, p.consent, p.photos) for p in self.gallery.people()}
        assert found == {
            person: (row["name"], row["consent"], len(row["photos"]))
            for person, row in self.model.items()
        }
        head = self.gallery.head()
        expected = {row["name"]: row["photos"] for row in self.model.values() if row["photos"]}
        assert set(head.people) == set(expected)
        for name, prototype in zip(head.people, head.prototypes, strict=True):
            samples = [sample for _, sample in expected[name].values()]
            views = [unit(s.embedding + s.mirrored).astype(np.float64) for s in samples]
            mean = sum(s.quality * view for s, view in zip(samples, views, strict=True))
            assert np.allclose(prototype, unit(mean), atol=1e-5)


Machine.TestCase.settings = settings(max_examples=12, stateful_step_count=20)
test_machine = Machine.TestCase
