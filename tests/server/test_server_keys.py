"""API keys: what is stored, what is accepted, and when the server is open."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.server.auth import keys as keys_module
from mien.server.auth.keys import Keys, Role


def test_the_right_id_with_a_wrong_secret_is_rejected(tmp_path):
    keys = Keys(tmp_path)
    made, text = keys.create(Role.ADMIN)
    other, other_text = keys.create(Role.VIEWER)
    secret, other_secret = text[14:], other_text[14:]
    assert text == f"mien_{made.id}_{secret}"
    assert keys.check(text) == made
    for wrong in (other_secret, "A" * 43, secret[:-1] + ("A" if secret[-1] != "A" else "B")):
        assert keys.check(f"mien_{made.id}_{wrong}") is None
    assert keys.check(f"mien_{other.id}_{secret}") is None
    assert keys.check(f"mien_{made.id}_") is None
    assert keys.check("") is None


def test_the_database_is_of_no_use_without_the_secret_file(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    _, text = Keys(here).create(Role.ADMIN)
    Keys(there)
    (there / "keys.sqlite").write_bytes((here / "keys.sqlite").read_bytes())
    assert Keys(there).check(text) is None  # another secret file
    (there / "keys.secret").write_bytes((here / "keys.secret").read_bytes())
    assert Keys(there).check(text) is not None


def test_the_same_secret_has_another_digest_on_another_machine(tmp_path):
    one, two = Keys(tmp_path / "one"), Keys(tmp_path / "two")
    assert one._digest("secret") == Keys(tmp_path / "one")._digest("secret")
    assert len({one._digest("secret"), two._digest("secret"), one._digest("other")}) == 3


def test_a_revoked_key_stays_revoked(tmp_path):
    keys = Keys(tmp_path)
    made, text = keys.create(Role.OPERATOR)
    assert keys.valid_key(made.id) == made
    keys.revoke(made.id)
    (revoked,) = keys.all()
    keys.revoke(made.id)
    assert keys.all() == (revoked,)
    assert keys.check(text) is None
    assert keys.valid_key(made.id) is None
    assert (keys.has_valid_key, keys.ever_had_key) == (False, True)


def test_two_first_keys_made_at_once_are_both_valid(tmp_path, monkeypatch):
    """Both processes find no secret file; the second waits before it writes its own."""
    write, others = keys_module.write_atomically, []

    def slow(path, data, **options):
        if not others:
            others.append(pool.submit(lambda: Keys(tmp_path).create(Role.ADMIN)[1]))
            with pytest.raises(TimeoutError):
                others[0].result(timeout=0.5)  # waits until this process has written
        write(path, data, **options)

    monkeypatch.setattr(keys_module, "write_atomically", slow)
    with ThreadPoolExecutor(1) as pool:
        _, text = Keys(tmp_path).create(Role.ADMIN)
        other = others[0].result(timeout=10)
    keys = Keys(tmp_path)
    assert keys.check(text)
    assert keys.check(other)


def test_first_keys_of_several_processes_are_all_valid(tmp_path):
    command = [sys.executable, "-c", _CREATE, tmp_path]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    texts = [process.communicate()[0].strip() for process in running]
    keys = Keys(tmp_path)
    assert all(keys.check(text) for text in texts)


_CREATE = """
import sys
from pathlib import Path
from mien.server.auth.keys import Keys, Role
print(Keys(Path(sys.argv[1])).create(Role.ADMIN)[1])
"""


# When the server is open


def test_revoking_the_last_key_does_not_open_the_server(client, state):
    assert client.get("/v1/audit").status_code == 200  # no key was ever created
    made, text = state.access.keys.create(Role.ADMIN)
    header = {"authorization": f"Bearer {text}"}
    assert client.get("/v1/audit", headers=header).status_code == 200
    state.access.keys.revoke(made.id)
    for headers in ({}, header):
        assert client.get("/v1/audit", headers=headers).status_code == 401
    assert client.get("/v1/session").json()["authentication"] is True


def test_a_server_whose_keys_are_all_revoked_starts_closed(serving, tmp_path):
    keys = Keys(tmp_path / "server0" / "data")
    keys.revoke(keys.create(Role.ADMIN)[0].id)
    # The fixture makes the same folder for the first server.
    assert serving().get("/v1/people").status_code == 401


def test_only_the_explicit_option_opens_a_server_that_had_keys(serving, tmp_path):
    keys = Keys(tmp_path / "server0" / "data")
    keys.revoke(keys.create(Role.ADMIN)[0].id)
    assert serving(insecure=True).get("/v1/people").status_code == 200
