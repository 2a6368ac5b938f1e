"""The index: a gallery as it stood at one moment, ready to be searched by any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mien.gallery.decision_rule import DecisionRule
from mien.gallery.person_matrix import PersonMatrix
from mien.gallery.storage.rows import Negatives
from mien.gallery.values import NOT_COMPARED
from mien.graph.assemble import open_compare_graph
from mien.matching import COMPARED, answers_of
from mien.session import Session
from mien.types import Answer, Head


@cache
def compare_session(dimension: int) -> Session:
    """Return the compare stage of a recognizer file, its people given with each run.

    One does for all galleries: it keeps nothing between runs.
    """
    model = open_compare_graph(dimension).SerializeToString()
    return Session(model, name="compare", threads=1)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Everybody who can be found, and by what rule. Nothing in it changes.

    Attributes:
        generation: of the store that it was made of.
        people: as arrays.
        ids: of the P people.
        names: of the P people.
        rule: when a name is given.
        columns: (D, P) float32, the prototypes as the graph takes them.
        negatives: (D, N) float32, rejected faces.
        negative_of: (N,) int64, the row of whom each of them is not.
    """

    generation: int
    people: PersonMatrix
    ids: tuple[str, ...]
    names: tuple[str, ...]
    rule: DecisionRule
    columns: NDArray[np.float32]
    negatives: NDArray[np.float32]
    negative_of: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        generation: int,
        people: PersonMatrix,
        named: Mapping[int, tuple[str, str]],
        negatives: Negatives,
        rule: DecisionRule,
    ) -> Index:
        """Return an index.

        Args:
            generation: of the store.
            people: as arrays.
            named: id and name of each number.
            negatives: rejected faces; those of people without photos are passed over.
            rule: of these people.
        """
        rows = np.searchsorted(people.numbers, negatives.numbers)
        known = np.isin(negatives.numbers, people.numbers)
        return cls(
            generation=generation,
            people=people,
            ids=tuple(named[number][0] for number in people.numbers.tolist()),
            names=tuple(named[number][1] for number in people.numbers.tolist()),
            rule=rule,
            columns=np.ascontiguousarray(people.prototypes.T),
            negatives=np.ascontiguousarray(negatives.vectors[known].T),
            negative_of=rows[known].astype(np.int64),
        )

    def identify(self, session: Session, faces: NDArray[np.float32]) -> tuple[Answer, ...]:
        """Return who each of the (F, D) faces of one photo is."""
        if not self.ids:
            return (NOT_COMPARED,) * len(faces)
        calibration, policy = self.rule.calibration, self.rule.policy
        rows = session.run(
            *COMPARED,
            embeddings=faces,
            prototypes=self.columns,
            negatives=self.negatives,
            negative_of=self.negative_of,
            slope=np.array(calibration.slope, np.float32),
            offset=np.array(calibration.offset, np.float32),
            threshold=np.array(policy.threshold, np.float32),
        )
        return answers_of(rows, self.names, ids=self.ids, rates=self.rule.rates_at)

    def head(self, contract: str) -> Head:
        """Return it as what a recognizer file is made of, people in the order of their names."""
        order = np.argsort(np.array(self.names, object)) if self.names else np.zeros(0, np.int64)
        place = np.argsort(order)
        return Head(
            kind="prototype",
            people=tuple(self.names[row] for row in order),
            prototypes=self.people.prototypes[order],
            photos=self.people.photos[order],
            contract=contract,
            calibration=self.rule.calibration,
            policy=self.rule.policy,
            negatives=np.ascontiguousarray(self.negatives.T),
            negative_of=place[self.negative_of].astype(np.int64),
        )
