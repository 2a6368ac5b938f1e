import io
import tarfile
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from mien.engine import Pipeline
from mien.errors import (
    InvalidPairs,
    NothingToMeasure,
    SourceNotFound,
    UnsafeArchive,
    UnusableSource,
)
from mien.evaluation import evaluate_lfw, lfw_report, read_pairs
from mien.evaluation.report.frame import Facts
from mien.evaluation.verification import lfw_photos as lfw_photos_module
from mien.evaluation.verification.embed_photos import centre_face
from mien.evaluation.verification.lfw_photos import lfw_photos
from mien.evaluation.verification.pairs_file import LfwPhoto, parse_pairs
from mien.measures import wilson
from mien.types import Detections, EmbeddedPhoto, Embeddings, Photo

# Photos are grey; the grey value is the angle of the embedding, and black shows no face.
GREYS = {
    "Ann_0001": 20,
    "Ann_0002": 30,
    "Ben_0001": 110,
    "Cyd_0001": 100,
    "Cyd_0002": 180,
    "Dan_0001": 170,
}
# Fold 0: one person 10° apart, two people 90°. Fold 1: one person 80° apart, two people 70°.
PAIRS = "2 1\nAnn 1 2\nAnn 1 Ben 1\nCyd 1 2\nCyd 1 Dan 1\n"


class GreyEngine:
    """Finds one face in each photo that is not black; the grey value is its angle."""

    contract = "grey"
    max_long_side = 100

    def embed_photo(self, photo):
        return EmbeddedPhoto(photo, *grey_faces(photo))


def grey_faces(photo):
    grey = float(photo.pixels.mean())
    found = 0 if grey < 10 else 1
    angle = np.deg2rad(grey)
    vectors = np.array([[np.cos(angle), np.sin(angle)]], np.float32)[:found]
    detections = Detections(
        np.zeros((found, 4), np.float32),
        np.zeros((found, 5, 2), np.float32),
        np.ones(found, np.float32),
    )
    crops = np.full((found, 112, 112, 3), int(grey), np.uint8)
    return detections, crops, Embeddings(vectors, "grey")


def write_photos(folder, greys=GREYS):
    for name, grey in greys.items():
        path = folder / "lfw" / name.rsplit("_", 1)[0] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), grey, np.uint8)).save(path, quality=100)
    return folder


def archive(folder, path):
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder / "lfw", "lfw")
    return path


@pytest.fixture
def root(tmp_path):
    return write_photos(tmp_path / "photos")


def test_view_2_by_hand(root):
    result = evaluate_lfw(GreyEngine(), root, parse_pairs(PAIRS))
    expected = np.cos(np.deg2rad([10, 90, 80, 70]))
    assert result.scored.scores == pytest.approx(expected, abs=0.02)
    # The threshold of fold 1 is halfway between 0 and 0.985, that of fold 0 comes from fold 1.
    assert result.scored.folds == (1.0, 0.5)
    assert result.scored.accuracy == wilson(3, 4)
    assert result.scored.standard_error == pytest.approx(0.25)
    assert result.scored.wrong.tolist() == [False, False, True, False]
    assert result.missed == ()
    found = result.to_dict()
    assert list(found)[:5] == ["accuracy", "accuracy_se", "tar_at_far_1e-3", "pairs", "missed"]
    assert found["accuracy"] == 0.75
    assert found["tar_at_far_1e-3"] == 0.5  # only 0.985 is above both pairs of two people
    assert found["pairs"] == 4


def test_view_1_by_hand(root):
    pairs = parse_pairs("1\nCyd 1 2\nCyd 1 Dan 1\n")
    own = evaluate_lfw(GreyEngine(), root, pairs)
    assert own.scored.accuracy.value == 0.5
    assert own.scored.standard_error == 0
    assert "optimistic" in own.scored.rule
    chosen = evaluate_lfw(
        GreyEngine(), root, pairs, choose_on=parse_pairs("1\nAnn 1 2\nAnn 1 Ben 1\n")
    )
    assert chosen.scored.thresholds == pytest.approx([0.49, 0.49], abs=0.02)
    assert "2 other pairs" in chosen.scored.rule


def test_archive_and_folder_give_equal_results(root, tmp_path):
    pairs = parse_pairs(PAIRS)
    from_folder = evaluate_lfw(GreyEngine(), root, pairs)
    from_tar = evaluate_lfw(GreyEngine(), archive(root, tmp_path / "lfw.tgz"), pairs)
    assert from_tar.to_dict() == from_folder.to_dict()


def test_a_photo_without_a_face_is_missed(tmp_path):
    root = write_photos(tmp_path, GREYS | {"Ann_0002": 0})
    result = evaluate_lfw(GreyEngine(), root, parse_pairs(PAIRS))
    assert result.missed == ("Ann_0002.jpg",)
    assert result.scored.scores[0] == -1
    assert result.to_dict()["missed"] == 1


def test_a_broken_photo_is_missed(root):
    (root / "lfw" / "Ann" / "Ann_0002.jpg").write_bytes(b"\xff\xd8\xff broken")
    result = evaluate_lfw(GreyEngine(), root, parse_pairs(PAIRS))
    assert result.missed == ("Ann_0002.jpg",)


def test_no_face_at_all(tmp_path):
    root = write_photos(tmp_path, dict.fromkeys(GREYS, 0))
    with pytest.raises(NothingToMeasure):
        evaluate_lfw(GreyEngine(), root, parse_pairs(PAIRS))


def test_an_engine_error_is_raised(root):
    class BrokenEngine(GreyEngine):
        def embed_photo(self, _):
            raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        evaluate_lfw(BrokenEngine(), root, parse_pairs(PAIRS))


def test_the_face_nearest_the_centre():
    photo = Photo(np.zeros((100, 200, 3), np.uint8), "", "p")
    boxes = np.array([[0, 0, 90, 90], [90, 40, 120, 70], [150, 10, 200, 90]], np.float32)
    detections = Detections(boxes, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    assert centre_face(photo, detections) == 1


def test_missing_photos_and_archives_are_refused(root, tmp_path):
    wanted = {LfwPhoto("Ann", 1), LfwPhoto("Zoe", 1)}
    with pytest.raises(UnusableSource, match=r"lacks 1 of the 2 .* Zoe_0001\.jpg"):
        list(lfw_photos(root, wanted))
    with pytest.raises(SourceNotFound):
        list(lfw_photos(tmp_path / "nothing", wanted))
    (tmp_path / "text.tgz").write_text("not an archive")
    with pytest.raises(UnusableSource, match="not a complete tar archive"):
        list(lfw_photos(tmp_path / "text.tgz", wanted))
    cut = archive(root, tmp_path / "cut.tgz")
    cut.write_bytes(cut.read_bytes()[:400])
    with pytest.raises(UnusableSource):
        list(lfw_photos(cut, wanted))


def test_a_photo_in_another_folder_is_ignored(tmp_path):
    write_photos(tmp_path)
    other = tmp_path / "lfw" / "attic" / "Ann_0001.jpg"
    other.parent.mkdir()
    other.write_bytes(b"old")
    ((photo, data),) = lfw_photos(tmp_path, {LfwPhoto("Ann", 1)})
    assert photo == LfwPhoto("Ann", 1)
    assert data != b"old"


def test_an_oversized_archive_member_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lfw_photos_module, "MAX_BYTES", 10)
    with tarfile.open(tmp_path / "bomb.tgz", "w:gz") as tar:
        member = tarfile.TarInfo("lfw/Ann/Ann_0001.jpg")
        member.size = 11
        tar.addfile(member, io.BytesIO(b"x" * 11))
    with pytest.raises(UnsafeArchive):
        list(lfw_photos(tmp_path / "bomb.tgz", {LfwPhoto("Ann", 1)}))


def test_the_report_shows_the_wrong_pairs(root):
    result = evaluate_lfw(GreyEngine(), root, parse_pairs(PAIRS), keep_crops=True)
    facts = Facts(made=datetime(2026, 1, 2, tzinfo=UTC), source="<lfw>")
    document = lfw_report(result, facts)
    assert document.count("data:image/jpeg;base64,") == 2
    assert "taken for two people" in document
    assert "&lt;lfw&gt;" in document
    assert "http" not in document.replace("http-equiv", "")


@pytest.mark.lfw
@pytest.mark.weights
def test_a_hundred_pairs_of_lfw(engine, data_folder):
    lines = (data_folder / "lfw" / "pairs.txt").read_text().splitlines()
    # Pairs of people whose names begin with A, B or C: near the start of the archive.
    same = [line for line in lines[1:301] if line[0] in "ABC"][:25]
    other = [
        line
        for line in lines[301:]
        if line.count("\t") == 3 and line[0] in "ABC" and line.split("\t")[2][0] in "ABC"
    ][:25]
    pairs = parse_pairs("\n".join(["25", *same, *other]))
    result = evaluate_lfw(Pipeline(engine, threads=1), data_folder / "lfw-deepfunneled.tgz", pairs)
    assert result.missed == ()
    assert result.scored.accuracy.value >= 0.96
    assert result.scored.scores[result.scored.same].mean() > 0.5
    assert result.scored.scores[~result.scored.same].mean() < 0.2


@pytest.mark.lfw
def test_the_real_pairs_files_are_read(data_folder):
    folder = data_folder / "lfw"
    view_2 = read_pairs(folder / "pairs.txt")
    assert (view_2.folds, len(view_2.pairs)) == (10, 6000)
    assert len(view_2.photos()) == 7701
    assert len(read_pairs(folder / "pairsDevTrain.txt").pairs) == 2200
    assert len(read_pairs(folder / "pairsDevTest.txt").pairs) == 1000
    with pytest.raises(InvalidPairs):
        read_pairs(folder / "people.txt")
