"""The visitor's own people: added, corrected, saved and deleted in the browser only."""

from __future__ import annotations

import base64
import json

import pytest
from toy_page import PEOPLE, PNG, names, needs_browser, needs_runtime, png, toy_recognizer

from mien.deploy.check.browser import visiting
from mien.deploy.check.static_site import serving
from mien.deploy.static_page import deploy_page

ADD = """async ({coded, name, force}) => {
  const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const {people} = mien.engine;
  const known = (await people.list()).find((person) => person.name === name);
  const {id} = known ?? await people.create({name});
  return people.addPhoto(id, new File([bytes], "photo.png"), {force});
}"""


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Return an open page; each test deletes the people that it adds."""
    needs_browser()
    needs_runtime()
    folder = deploy_page(toy_recognizer(), tmp_path_factory.mktemp("page") / "out").folder
    with serving(folder) as site, visiting() as visit:
        visit.open(site.address)
        yield visit


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def add(visit, name, seed, *, force=False, **options):
    photo = coded(png(seed, **options))
    return visit.page.evaluate(ADD, {"coded": photo, "name": name, "force": force})


def own_people(visit):
    people = visit.page.evaluate("() => mien.engine.people.list()")
    assert {person["name"] for person in people if person["id"] is None} == set(PEOPLE)
    return [person for person in people if person["id"] is not None]


def forget_all(visit):
    visit.page.evaluate("() => mien.engine.people.forgetAll()")


def test_photos_that_cannot_be_read_are_reported(visit):
    for data, message in ((b"", "empty"), (b"text", "cannot read"), (png(0)[:300], "damaged")):
        answer = visit.identify(data, PNG)
        assert message in answer["error"]
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    assert "HEIC" in visit.identify(heic, "a.heic")["error"]
    assert names(visit, 0) == [PEOPLE[0]]


def test_people_are_added_and_forgotten(visit):
    assert names(visit, 5) == [None]
    assert add(visit, "Neighbour", 5)["taken"]
    assert add(visit, "Neighbour", 5)["reason"] == "already-enrolled"
    assert add(visit, "Neighbour", 6, cells=[])["reason"] == "no-face"
    assert add(visit, "Neighbour", 6, cells=[(10, 10), (40, 40)])["reason"] == "several-faces"
    assert add(visit, "Neighbour", 0)["reason"] == "like-somebody-else"
    assert add(visit, "Neighbour", 7)["reason"] == "disagrees"
    assert names(visit, 7) == [None]
    assert names(visit, 5) == ["Neighbour"]
    visit.page.reload()
    visit.page.wait_for_function("() => globalThis.mien?.engine")
    assert names(visit, 5) == ["Neighbour"]
    (person,) = own_people(visit)
    assert (person["name"], person["photos"]) == ("Neighbour", 1)
    visit.page.evaluate("(id) => mien.engine.people.forget(id)", person["id"])
    assert names(visit, 5) == [None]
    assert visit.page.evaluate("indexedDB.databases()") == []


def test_corrections_name_a_face_and_reject_a_name(visit):
    (face,) = visit.identify(png(0), PNG)["faces"]
    visit.page.evaluate("([token, id]) => mien.engine.isNot(token, id)",
                        [face["face_token"], face["person_id"]])  # fmt: skip
    assert names(visit, 0) == [None]
    forget_all(visit)
    assert names(visit, 0) == [PEOPLE[0]]
    (face,) = visit.identify(png(7), PNG)["faces"]
    visit.page.evaluate("(token) => mien.engine.is(token, {name: 'New one'})", face["face_token"])
    assert names(visit, 7) == ["New one"]
    forget_all(visit)
    assert names(visit, 7) == [None]


def test_people_are_exported_and_imported(visit):
    add(visit, "Ann </script>", 5)
    text = visit.page.evaluate("async () => (await mien.engine.people.exported()).text()")
    exported = json.loads(text)
    assert [person["name"] for person in exported["people"]] == ["Ann </script>"]
    forget_all(visit)
    read = "(text) => mien.engine.people.imported(new File([text], 'people.json'))"
    assert visit.page.evaluate(read, text) == 1
    assert visit.page.evaluate(read, text) == 0
    assert names(visit, 5) == ["Ann </script>"]
    forget_all(visit)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "no json",
        lambda file: json.dumps(file | {"format": "other"}),
        lambda file: json.dumps(file | {"version": 99}),
        lambda file: json.dumps(file | {"contract": "another embedder"}),
        lambda file: json.dumps(file | {"people": [{"name": ""}]}),
        lambda file: json.dumps(file | {"people": [file["people"][0] | {"photos": 3}]}),
        lambda file: json.dumps(file).replace('"embedding": "', '"embedding": "AAAA'),
    ],
)
def test_invalid_import_files_are_refused(visit, change):
    add(visit, "Ann", 5)
    exported = json.loads(
        visit.page.evaluate("async () => (await mien.engine.people.exported()).text()")
    )
    forget_all(visit)
    refused = visit.page.evaluate(
        """(text) => mien.engine.people.imported(new File([text], "people.json"))
          .then(() => "taken", ({name, kind}) => `${name} ${kind}`)""",
        change(exported),
    )
    assert refused == "EngineError refused"
    assert own_people(visit) == []


def test_page_shows_the_names_in_a_chosen_photo(visit, tmp_path):
    photo = tmp_path / PNG
    photo.write_bytes(png(0))
    visit.page.goto(f"{visit.page.url.partition('#')[0]}#/recognise")
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(photo)
    visit.page.get_by_role("heading", name=PEOPLE[0]).wait_for(timeout=20_000)
    assert "sent nowhere" in visit.page.evaluate("() => mien.engine.place")


def test_people_view_exports_imports_and_forgets(visit, tmp_path):
    add(visit, "Neighbour", 5)
    page = visit.page
    page.goto(f"{page.url.partition('#')[0]}#/people")
    page.get_by_role("link", name="Neighbour").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    page.get_by_role("button", name="Forget all people").click()
    page.get_by_role("button", name="Forget them").click()
    page.get_by_role("link", name="Neighbour").wait_for(state="detached")
    assert own_people(visit) == []
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Read from a file").click()
    chooser.value.set_files(saved)
    page.get_by_role("link", name="Neighbour").wait_for()
    assert names(visit, 5) == ["Neighbour"]
    forget_all(visit)
