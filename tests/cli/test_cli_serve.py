"""The commands `mien serve` and `mien keys`."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mien.cli import cli, exit_code
from mien.cli.hints import hint_of
from mien.cli.serve import OPEN_RATE, _settings
from mien.errors import RecognizerNotFound, UnsafeStart

DEFAULTS = {
    "allow_host": (), "cors_origin": (), "require_key": False, "insecure": False, "rate": None,
    "max_body": 32, "max_upload": 512, "waiting": 64, "workers": 1,
    "per_address": 7,
}  # fmt: skip


def run(*arguments) -> SimpleNamespace:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return SimpleNamespace(
        code=done.exit_code, out=done.stdout, err=done.stderr, error=done.exception
    )


def test_a_key_is_printed_once_and_can_be_revoked(tmp_path):
    made = run("keys", "create", "--role", "viewer", "--note", "Łukasz 🔑", "--data", tmp_path)
    assert made.code == 0
    text = made.out.strip()
    assert "\n" not in text
    listed = run("keys", "list", "--json", "--data", tmp_path)
    (row,) = json.loads(listed.out)
    assert (row["role"], row["note"]) == ("viewer", "Łukasz 🔑")
    secret = text.removeprefix("mien_").split("_", 1)[-1]
    assert secret not in listed.out
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert "Łukasz" in run("keys", "list", "--data", tmp_path).out
    assert run("keys", "revoke", row["id"], "--data", tmp_path).code == 0
    states = json.loads(run("keys", "list", "--json", "--data", tmp_path).out)
    assert all(state.get("revoked") for state in states)
    again = run("keys", "revoke", "00000000", "--data", tmp_path)
    assert exit_code(again.error) == 19


def test_listing_keys_makes_no_folder(tmp_path):
    folder = tmp_path / "nothing"
    assert json.loads(run("keys", "list", "--json", "--data", folder).out) == []
    assert "mien keys create" in run("keys", "list", "--data", folder).err
    assert exit_code(run("keys", "revoke", "3f2a9c01", "--data", folder).error) == 19
    assert not folder.exists()


def test_other_machines_need_a_key(tmp_path):
    refused = run("serve", "--host", "0.0.0.0", "--data", tmp_path, "--port", "0")  # noqa: S104
    assert isinstance(refused.error, UnsafeStart)
    assert "mien keys create" in hint_of(refused.error)


@pytest.mark.parametrize(
    ("file", "what", "hint"),
    [
        ("gallery.sqlite", "a gallery", "mien serve --gallery {}"),
        ("dataset.json", "a dataset", "mien train {} -o people.onnx"),
    ],
)
def test_a_folder_is_not_a_recognizer_file(tmp_path, file, what, hint):
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / file).touch()
    refused = run("serve", folder, "--data", tmp_path / "data", "--port", "0")
    assert isinstance(refused.error, RecognizerNotFound)
    assert f"office is {what}" in str(refused.error)
    assert hint.format(folder) in hint_of(refused.error)


@pytest.mark.parametrize(
    ("loopback", "rate", "held"),
    [(True, None, 0), (False, None, OPEN_RATE), (True, 5, 5), (False, 0, 0)],
)
def test_the_rate_limit_holds_where_other_machines_can_ask(tmp_path, loopback, rate, held):
    settings = _settings(tmp_path, loopback=loopback, **{**DEFAULTS, "rate": rate})
    assert settings.limits.per_second == held
    assert settings.require_key is not loopback
    assert settings.limits.per_address == 7


def test_behind_a_proxy_a_key_is_required_and_the_rate_limit_holds(tmp_path):
    settings = _settings(tmp_path, loopback=True, proxied=True, **DEFAULTS)
    assert settings.require_key
    assert settings.limits.per_second == OPEN_RATE


def test_revoking_the_last_key_says_that_the_server_stays_closed(tmp_path):
    ids = []
    for _ in range(2):
        run("keys", "create", "--role", "admin", "--data", tmp_path)
        rows = json.loads(run("keys", "list", "--json", "--data", tmp_path).out)
        ids = [row["id"] for row in rows]
    said = [run("keys", "revoke", key, "--data", tmp_path).err for key in ids]
    assert ["last valid key" in text for text in said] == [False, True]
