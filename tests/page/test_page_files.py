"""The page over two recognizer files: of ten people, and of 5,756 people."""

from __future__ import annotations

import re

import numpy as np
import pytest
from served import Serving, mien

from mien import read_photo
from mien.recognizer import Recognizer
from mien.types import Calibration, Head, Interval, Policy

expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.lfw


@pytest.fixture(scope="module")
def ten(data_folder, engine, tmp_path_factory):
    """Return a recognizer of the ten people, made by the commands of the guide."""
    assert engine
    folder = tmp_path_factory.mktemp("ten")
    mien("dataset", "build", data_folder / "ten-indian-people.zip", "-o", folder / "people")
    mien("train", folder / "people", "-o", folder / "ten.onnx")
    return folder / "ten.onnx"


@pytest.fixture(scope="module")
def many(data_folder, engine, portraits, tmp_path_factory):
    """Return a recognizer of 5,756 people: two real ones, LFW's names with random embeddings."""
    listed = (data_folder / "lfw" / "people.txt").read_text("utf-8").splitlines()
    names = {line.split("\t")[0].replace("_", " ") for line in listed if "\t" in line}
    names = sorted(names - {"Barack Obama", "Joe Biden"})
    names += [f"Person {number}" for number in range(5754 - len(names))]
    rows = np.random.default_rng(0).normal(size=(len(names), engine.dimension))
    faces = []
    for name in ("obama.jpg", "biden.jpg"):
        photo = read_photo(portraits / name)
        faces.append(engine.embed(engine.align(photo, engine.detect(photo))).vectors[0])
    rows = np.concatenate([faces, rows / np.linalg.norm(rows, axis=1, keepdims=True)])
    head = Head(
        kind="prototype",
        people=("Barack Obama", "Joe Biden", *names),
        prototypes=rows.astype(np.float32),
        photos=np.ones(len(rows), np.int64),
        contract=engine.contract,
        calibration=Calibration(30.0, -15.0),
        policy=Policy(0.5, 0.01, Interval(0.01, 0.0, 0.02), 300, supported=True, source="a test"),
    )
    path = tmp_path_factory.mktemp("many") / "many.onnx"
    Recognizer.build(head, engine, threads=1).save(path)
    return path


@pytest.fixture(scope="module")
def both(ten, many, tmp_path_factory):
    """Return a server over both files."""
    servers = Serving(tmp_path_factory.mktemp("both"), ten)
    yield servers(files=(f"lfw-plus={many}", f"indian-face={ten}"))
    servers.stop()


def choose(page, photo):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=re.compile("Choose photos|More photos")).click()
    chooser.value.set_files(photo)


def test_each_recognizer_file_identifies_its_people(visit, both, portraits, data_folder, tmp_path):
    from zipfile import ZipFile

    with ZipFile(data_folder / "ten-indian-people.zip") as archive:
        member = next(name for name in archive.namelist() if "Mukesh_Ambani/" in name[:-1])
        mukesh = tmp_path / f"mukesh.{member.rsplit('.', 1)[-1]}"
        mukesh.write_bytes(archive.read(member))
    page = visit(both)
    choose(page, portraits / "obama.jpg")
    cards = page.locator(".face-card")
    expect(cards.first.get_by_role("heading")).to_have_text("Barack Obama")
    expect(cards.first.locator(".candidate")).to_have_count(5)
    page.get_by_role("combobox", name="Recognizer").select_option("indian-face")
    choose(page, mukesh)
    expect(cards.filter(has=page.get_by_role("heading", name="Mukesh Ambani"))).to_have_count(1)


def test_thousands_of_people_are_listed_and_found(visit, both):
    page = visit(both)
    page.get_by_role("navigation").get_by_role("link", name="People").click()
    expect(page.get_by_text("5,756")).to_be_visible()
    page.get_by_role("searchbox", name="Find a person").fill("joe biden")
    expect(page.locator(".person-card")).to_have_count(1)
    page.get_by_role("combobox", name="Recognizer").select_option("indian-face")
    expect(page.locator(".person-card")).to_have_count(10)


def test_about_describes_each_file(visit, both):
    page = visit(both)
    page.get_by_role("link", name="About").click()
    expect(page.get_by_text(re.compile("5,756 people, a recognizer file"))).to_be_visible()
    expect(page.get_by_text(re.compile("10 people, a recognizer file"))).to_be_visible()
    expect(page.get_by_text("Measured on 300 photos of strangers: ")).to_be_visible()
    expect(page.get_by_text(re.compile("an estimate from other people.s faces"))).to_be_visible()


def test_the_camera_with_thousands_of_people(visit_with_camera, both):
    page = visit_with_camera(both)
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Start the camera").click()
    for name in ("Barack Obama", "Joe Biden"):
        row = page.locator(".in-view-row").filter(has_text=name)
        expect(row).to_have_count(1)
