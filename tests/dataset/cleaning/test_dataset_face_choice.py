import numpy as np
import pytest

from mien.dataset.cleaning.face_choice import choose, prominence
from sphere import SFACE_LIMITS

RNG = np.random.default_rng(5)


def identity():
    vector = RNG.normal(size=64)
    return vector / np.linalg.norm(vector)


def shot(who):
    noisy = who + 0.06 * RNG.normal(size=64)
    return noisy / np.linalg.norm(noisy)


def chosen(photos, priors=None, limits=SFACE_LIMITS):
    """Photos: (person number, its faces); the position chosen in each."""
    starts = np.cumsum([0] + [len(faces) for _, faces in photos])
    templates = np.array([face for _, faces in photos for face in faces], np.float32)
    prior = np.full(len(templates), 0.5) if priors is None else np.concatenate(priors)
    people = np.array([person for person, _ in photos], np.int64)
    starts = starts.astype(np.int64)
    rows = choose(people, starts, templates, prior.astype(np.float32), limits)
    return (rows - starts[:-1]).tolist()


def test_single_faces_are_taken():
    ada, bob = identity(), identity()
    faces = chosen([(0, [shot(ada)]), (0, [shot(ada)]), (1, [shot(bob)])])
    assert faces == [0, 0, 0]


def test_agreement_outweighs_size():
    ada = identity()
    photos = [(0, [shot(ada)]), (0, [shot(ada)]), (0, [identity(), shot(ada)])]
    faces = chosen(photos, [[0.9], [0.9], [1.0, 0.2]])
    assert faces == [0, 0, 1]


def test_every_photo_shows_several_people():
    ada = identity()
    photos, right = [], []
    for i in range(6):
        faces = [identity(), identity(), identity()]
        faces.insert(i % 4, shot(ada))
        photos.append((0, faces))
        right.append(i % 4)
    assert chosen(photos) == right


def test_somebody_who_is_often_there_gives_way_to_the_one_who_always_is():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]) for _ in range(4)] + [(0, [shot(ada)])]
    assert chosen(photos) == [1, 1, 1, 1, 0]


def test_somebody_who_has_a_folder_of_their_own_gives_way():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]) for _ in range(3)]
    photos += [(1, [shot(bob)]) for _ in range(4)]
    assert chosen(photos) == [1, 1, 1, 0, 0, 0, 0]


def test_one_photo_is_decided_by_prominence():
    faces = [identity(), identity(), identity()]
    assert chosen([(0, faces)], [[0.1, 0.8, 0.3]]) == [1]


def test_one_photo_beside_somebody_known():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]), (1, [shot(bob)]), (1, [shot(bob)])]
    assert chosen(photos, [[0.9, 0.8], [1.0], [1.0]])[0] == 1
    # but a small face in the background does not step in
    assert chosen(photos, [[0.9, 0.1], [1.0], [1.0]])[0] == 0


def test_a_wrong_photo_does_not_turn_the_others():
    ada = identity()
    photos = [(0, [shot(ada), identity()]) for _ in range(5)] + [(0, [identity()])]
    assert chosen(photos) == [0] * 6


def test_prominence_is_of_large_and_central_faces():
    boxes = np.array([[40, 40, 60, 60], [0, 0, 22, 22], [45, 45, 50, 50]], np.float32)
    values = prominence(boxes, 100, 100)
    assert values.argmax() == 0
    assert values[0] == pytest.approx(20 / 22, abs=0.01)
    assert (values > 0).all()
