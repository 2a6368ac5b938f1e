"""The index: a gallery at one moment, in memory, ready to be searched by any thread."""

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
    """Return a session of the compare stage that takes the people as inputs of each run.

    It keeps no state between runs, so that all galleries of one dimension share it.
    """
    model = open_compare_graph(dimension).SerializeToString()
    return Session(model, name="compare", threads=1)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The people who can be identified, and the decision rule. It never changes.

    Attributes:
        generation: of the store that it was made from.
        people: as arrays.
        ids: of the P people.
        names: of the P people.
        rule: when a name is given.
        columns: (D, P) float32, the prototypes in the layout that the graph takes.
        negatives: (D, N) float32, rejected faces.
        negative_of: (N,) int64, row of the person that each of them is not.
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
            negatives: rejected faces; those of people without photos are left out.
            rule: of these people.
        """
        rows = np.searchsorted(people.numbers, negatives.numbers)
        indexed = np.isin(negatives.numbers, people.numbers)
        return cls(
            generation=generation,
            people=people,
            ids=tuple(named[number][0] for number in people.numbers.tolist()),
            names=tuple(named[number][1] for number in people.numbers.tolist()),
            rule=rule,
            columns=np.ascontiguousarray(people.prototypes.T),
            negatives=np.ascontiguousarray(negatives.vectors[indexed].T),
            negative_of=rows[indexed].astype(np.int64),
        )

    def identify(self, session: Session, faces: NDArray[np.float32]) -> tuple[Answer, ...]:
        """Return an answer per face of one photo; `faces` is (F, D) float32, unit rows."""
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
        """Return the head of a recognizer file, people in the order of their names."""
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
