"""Datasets of real photos, built with the default models."""

import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from mien.dataset.build import build

COPIES = {
    "saved": lambda image: (image, 40),
    "halved": lambda image: (image.resize((image.width // 2, image.height // 2)), 85),
    "mirrored": lambda image: (ImageOps.mirror(image), 85),
    "all": lambda image: (
        ImageOps.mirror(image.resize((image.width * 2 // 3, image.height * 2 // 3))),
        50,
    ),
    "brighter": lambda image: (ImageEnhance.Brightness(image).enhance(1.15), 90),
}


def copy_of(source, target, kind):
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        changed, quality = COPIES[kind](image.convert("RGB"))
    changed.save(target, "JPEG", quality=quality)


@pytest.mark.weights
def test_portraits(tmp_path, engine, portraits):
    photos = tmp_path / "photos"
    for name in ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"):
        target = photos / name.rstrip("23.jpg") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((portraits / name).read_bytes())
    for kind in COPIES:
        copy_of(portraits / "obama2.jpg", photos / "obama" / f"{kind}.jpg", kind)
    copy_of(portraits / "biden.jpg", photos / "obama" / "wrong.jpg", "saved")
    made = build([str(photos)], tmp_path / "out", engine)
    reasons = {e.photo.split("/")[1]: e.reason for e in made.entries}
    assert reasons["wrong.jpg"] == "mislabelled"
    copies = {"obama2.jpg", *(f"{kind}.jpg" for kind in COPIES)}
    assert sum(reasons[name] == "near-duplicate" for name in copies) == len(copies) - 1
    assert not any(reasons[name] for name in ("obama.jpg", "obama3.jpg", "biden.jpg"))
    assert len({e.group for e in made.entries if e.photo.split("/")[1] in copies}) == 1
    assert len({e.split for e in made.entries if e.photo.split("/")[1] in copies}) == 1


@pytest.fixture(scope="module")
def ten(tmp_path_factory, data_folder):
    root = tmp_path_factory.mktemp("ten")
    with zipfile.ZipFile(data_folder / "ten-indian-people.zip") as archive:
        archive.extractall(root)
    return root / "indian-face-dataset"


@pytest.mark.weights
@pytest.mark.lfw
def test_ten_people_without_changes(tmp_path, engine, data_folder):
    made = build([str(data_folder / "ten-indian-people.zip")], tmp_path / "out", engine)
    assert len(made.people) == 10
    assert len(made.rows) == 81
    assert not Counter(e.reason for e in made.entries if not e.used)
    templates = made.embeddings + made.mirrored
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    sums = np.stack([templates[made.labels == p].sum(axis=0) for p in range(10)])
    right = 0
    for template, label in zip(templates, made.labels, strict=True):
        rest = sums.copy()
        rest[label] -= template
        rest /= np.linalg.norm(rest, axis=1, keepdims=True)
        right += int(np.argmax(rest @ template) == label)
    assert right == 81


@pytest.mark.weights
@pytest.mark.lfw
def test_faults_added_to_ten_people_are_found(tmp_path, engine, ten):
    """Copies, wrong labels and group photos are added to real folders, and found."""
    people = sorted(path for path in ten.iterdir() if path.is_dir())
    photos = {person.name: sorted(person.iterdir()) for person in people}
    copies, wrong, groups = [], [], {}
    for i, person in enumerate(people):
        first, second = photos[person.name][:2]
        other = people[(i + 1) % len(people)]
        kind = list(COPIES)[i % len(COPIES)]
        copies.append(person / f"copy-{kind}.jpg")
        copy_of(first, copies[-1], kind)
        if i % 3 == 0:
            wrong.append(person / "wrong.jpg")
            copy_of(photos[other.name][3], wrong[-1], "saved")
        else:
            groups[person / "group.png"] = beside(second, photos[other.name][4])
            groups[person / "group.png"].save(person / "group.png")
            second.unlink()
    made = build([str(ten)], tmp_path / "out", engine)
    by_photo = {e.photo: e for e in made.entries}

    def entry(path):
        return by_photo[path.relative_to(ten).as_posix()]

    for path in wrong:
        assert entry(path).reason == "mislabelled", path
    found = Counter(e.reason for e in made.entries if not e.used)
    grouped = sum(bool(entry(path).group) for path in copies)
    assert grouped >= len(copies) - 1, [p.name for p in copies if not entry(p).group]
    assert found["near-duplicate"] == grouped
    assert found["mislabelled"] == len(wrong)
    for path, image in groups.items():
        if entry(path).faces > 1:
            # The person is the small face on the left.
            assert entry(path).box[0] < image.width * 0.45, path


def beside(left, right):
    """Return a photo of two people, the left one at half the height of the right one."""
    with Image.open(left) as a, Image.open(right) as b:
        small, large = a.convert("RGB"), b.convert("RGB")
    small = small.resize((round(small.width * 300 / small.height), 300))
    large = large.resize((round(large.width * 600 / large.height), 600))
    both = Image.new("RGB", (small.width + large.width, 600), (128, 128, 128))
    both.paste(small, (0, 300))
    both.paste(large, (small.width, 0))
    return both
