"""Which face of a photo is meant: by number from the left, or the largest."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from mien.errors import FaceNotThere, NoFace
from mien.faces.selection import select_face

LEFT = (10, 300, 60, 350)
"""50 by 50, the first from the left although the lowest."""
WIDE = (40, 0, 140, 20)
"""100 by 20: the widest."""
LARGEST = (80, 200, 150, 270)
"""70 by 70: the largest, neither widest nor highest nor at an end."""
HIGH = (520, 500, 550, 610)
"""30 by 110: the highest, and the last from the left."""
FROM_THE_LEFT = (LEFT, WIDE, LARGEST, HIGH)


@pytest.mark.parametrize("order", list(permutations(FROM_THE_LEFT)))
def test_numbers_count_from_the_left_and_none_is_the_largest(order):
    boxes = np.array(order, np.float32)
    for number, box in enumerate(FROM_THE_LEFT, 1):
        assert order[select_face(boxes, number, photo="group.jpg")] == box
    assert order[select_face(boxes, None, photo="group.jpg")] == LARGEST


def test_of_faces_with_one_left_edge_the_first_found_counts_first():
    boxes = np.array([(50, 0, 60, 10), (5, 0, 9, 9), (5, 40, 9, 49)], np.float32)
    assert [select_face(boxes, number, photo="x") for number in (1, 2, 3)] == [1, 2, 0]


def test_many_faces_with_one_left_edge_count_in_the_order_in_which_they_were_found():
    edges = np.random.default_rng(0).integers(0, 3, 200)
    boxes = np.stack([edges, edges, edges + 5, edges + 5], axis=1).astype(np.float32)
    order = [select_face(boxes, number, photo="x") for number in range(1, 201)]
    assert order == sorted(range(200), key=lambda face: (edges[face], face))


def test_a_face_that_is_not_there():
    boxes = np.array([LEFT, WIDE], np.float32)
    assert select_face(boxes, 2, photo="two.jpg") == 1
    with pytest.raises(FaceNotThere, match=r"two.jpg shows 2 faces, there is no face 3"):
        select_face(boxes, 3, photo="two.jpg")


@pytest.mark.parametrize("face", [None, 1])
def test_no_face(face):
    with pytest.raises(NoFace, match=r"no face found in empty.jpg"):
        select_face(np.zeros((0, 4), np.float32), face, photo="empty.jpg")
