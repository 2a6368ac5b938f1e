import numpy as np
import pytest

from mien.dataset.cleaning.face_choice import choose_faces, prominence
from sphere import SFACE_LIMITS

RNG = np.random.default_rng(5)


E = np.eye(4)


def identity():
    vector = RNG.normal(size=64)
    return vector / np.linalg.norm(vector)


def shot(who):
    noisy = who + 0.06 * RNG.normal(size=64)
    return noisy / np.linalg.norm(noisy)


def chosen(photos, priors=None, limits=SFACE_LIMITS):
    """Return the position of the chosen face per photo; a photo is (person number, its faces)."""
    starts = np.cumsum([0] + [len(faces) for _, faces in photos])
    templates = np.array([face for _, faces in photos for face in faces], np.float32)
    prior = np.full(len(templates), 0.5) if priors is None else np.concatenate(priors)
    people = np.array([person for person, _ in photos], np.int64)
    starts = starts.astype(np.int64)
    rows = choose_faces(people, starts, templates, prior.astype(np.float32), limits)
    return (rows - starts[:-1]).tolist()


def test_single_faces_are_chosen():
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


def test_the_person_in_all_photos_is_chosen_over_one_in_most():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]) for _ in range(4)] + [(0, [shot(ada)])]
    assert chosen(photos) == [1, 1, 1, 1, 0]


def test_a_person_with_photos_of_their_own_is_not_chosen():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]) for _ in range(3)]
    photos += [(1, [shot(bob)]) for _ in range(4)]
    assert chosen(photos) == [1, 1, 1, 0, 0, 0, 0]


def test_every_photo_is_searched_for_another_person():
    """Also those after one in which no other person is."""
    ada, bob, cleo = E[0], E[1], E[2]
    alone = [(0, [ada, E[3]]), (0, [bob, ada])]  # Bob is larger in the second
    others = [(1, [bob]), (1, [bob]), (2, [cleo])]
    priors = [[0.9, 0.1], [0.9, 0.8], [1.0], [1.0], [1.0]]
    together = [(3, [cleo, E[3]])]
    faces = chosen(alone + others + together, [*priors, [0.9, 0.8]])
    assert faces == [0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize(("prior", "face"), [(0.46, 1), (0.44, 0)])
def test_instead_of_another_person_a_face_of_half_the_prominence_is_taken(prior, face):
    photos = [(0, [E[0], E[1]]), (1, [E[0]]), (1, [E[0]])]
    assert chosen(photos, [[0.9, prior], [1.0], [1.0]])[0] == face


@pytest.mark.parametrize("seed", [12, 14, 23, 24, 31, 32])
def test_picks_agree_with_each_other_in_the_end(seed):
    """No photo has a face that is more like the faces picked in the others: after three rounds."""
    generator = np.random.default_rng(seed)
    faces = generator.normal(size=(9, 4, 6)) + 0.8 * generator.normal(size=(1, 4, 6))
    faces /= np.linalg.norm(faces, axis=2, keepdims=True)
    prior = generator.random((9, 4))
    picks = chosen([(0, list(photo)) for photo in faces], list(prior))
    for photo, pick in enumerate(picks):
        others = [faces[other, picks[other]] for other in range(9) if other != photo]
        agreement = (faces[photo] @ np.transpose(others)).mean(axis=1)
        assert pick == np.argmax(agreement + SFACE_LIMITS.size_weight * prior[photo])


def test_one_photo_is_decided_by_prominence():
    faces = [identity(), identity(), identity()]
    assert chosen([(0, faces)], [[0.1, 0.8, 0.3]]) == [1]


def test_a_single_photo_with_another_known_person():
    ada, bob = identity(), identity()
    photos = [(0, [shot(bob), shot(ada)]), (1, [shot(bob)]), (1, [shot(bob)])]
    assert chosen(photos, [[0.9, 0.8], [1.0], [1.0]])[0] == 1
    # but a small face in the background is not chosen instead
    assert chosen(photos, [[0.9, 0.1], [1.0], [1.0]])[0] == 0


def test_a_wrong_photo_does_not_change_the_choice_in_others():
    ada = identity()
    photos = [(0, [shot(ada), identity()]) for _ in range(5)] + [(0, [identity()])]
    assert chosen(photos) == [0] * 6


def test_without_calibration_size_weighs_one_deviation_of_the_cosines():
    """Between faces in different people's photos: those of one person say nothing of it."""
    # Cosines between Bob's face and the three of Ada's: 0.6, 0.6, 0; their deviation is 0.283.
    bob = 0.6 * E[0] + 0.8 * E[1]
    photos = [(0, [E[0]]), (0, [E[0], E[2]]), (1, [bob])]
    # Agreement favours the first of two faces by a cosine of 1; so does size the second by 0.283
    # times the difference of prior.
    for prior, face in ((3.4, 0), (3.7, 1)):
        assert chosen(photos, [[0.5], [0, prior], [0.5]], limits=None) == [0, face, 0]


def test_without_calibration_size_decides_for_a_single_person():
    photos = [(0, [E[0]]), (0, [E[0], E[1]])]
    assert chosen(photos, [[0.5], [0.0, 0.9]], limits=None) == [0, 0]
    assert chosen(photos, [[0.5], [0.0, 1.1]], limits=None) == [0, 1]


def test_large_and_central_faces_are_prominent():
    boxes = np.array([[40, 40, 60, 60], [0, 0, 22, 22], [45, 45, 50, 50]], np.float32)
    values = prominence(boxes, 100, 100)
    assert values.argmax() == 0
    assert values[0] == pytest.approx(20 / 22, abs=0.01)
    assert (values > 0).all()


def test_prominence_by_hand():
    """Of boxes that are not square and lie off the photo's diagonal."""
    boxes = np.array([[10, 20, 50, 40], [80, 45, 120, 55], [150, 10, 160, 90]], np.float32)
    # Sides: the roots of 800, 400 and 800. Centres from the middle of 200 x 100: (-70, -20),
    # (0, 0) and (55, 0). Half the diagonal is the root of 12,500.
    away = np.sqrt([70**2 + 20**2, 0, 55**2]) / np.sqrt(12_500)
    expected = np.sqrt([1, 0.5, 1]) * np.exp(-((away / 0.35) ** 2))
    assert prominence(boxes, 200, 100) == pytest.approx(expected, rel=1e-5)
    # In a photo on its side the same is so of boxes on their side.
    turned = boxes[:, [1, 0, 3, 2]]
    assert prominence(turned, 100, 200) == pytest.approx(expected, rel=1e-5)


def test_an_empty_box_is_not_prominent():
    boxes = np.array([[10, 10, 10, 30], [40, 40, 60, 60]], np.float32)
    values = prominence(boxes, 100, 100)
    assert values[0] == pytest.approx(0, abs=1e-3)
    assert values[1] == pytest.approx(1)
