"""API keys: what is stored, what is accepted, and when the server is open."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.errors import BadRequest, OutputError, UnknownKey
from mien.server.auth import keys as keys_module
from mien.server.auth.keys import Key, Keys, Role


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


def test_roles_are_ordered_and_named():
    assert [(role.value, role.word) for role in Role] == [
        (1, "viewer"), (2, "operator"), (3, "admin"),
    ]  # fmt: skip
    assert [Role.of(role.word) for role in Role] == list(Role)
    with pytest.raises(KeyError):
        Role.of("owner")


def test_keys_are_listed_oldest_first_with_all_that_is_known_of_them(tmp_path, monkeypatch):
    times = iter(["2026-01-02", "2026-01-01", "2026-01-01", "2026-01-03"])
    monkeypatch.setattr(keys_module, "_now", lambda: next(times))
    keys = Keys(tmp_path)
    made = [keys.create(role, note)[0] for role, note in zip(Role, "abc", strict=True)]
    second, third = sorted(made[1:], key=lambda key: key.id)
    assert keys.all() == (second, third, made[0])
    assert [keys.valid_key(key.id) for key in made] == made
    assert keys.valid_key("00000000") is None
    assert made[0] == Key(made[0].id, Role.VIEWER, "a", "2026-01-02", "")
    keys.revoke(second.id)
    assert [key.revoked for key in Keys(tmp_path).all()] == ["2026-01-03", "", ""]
    assert keys.has_valid_key


def test_times_are_of_utc_in_seconds(tmp_path):
    created = Keys(tmp_path).create(Role.ADMIN)[0].created
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created)


def test_a_note_has_at_most_200_characters(tmp_path):
    keys = Keys(tmp_path)
    keys.create(Role.ADMIN, "x" * 200)
    with pytest.raises(BadRequest, match="a note has at most 200 characters"):
        keys.create(Role.ADMIN, "x" * 201)
    assert len(keys.all()) == 1


def test_an_unknown_key_cannot_be_revoked(tmp_path):
    keys = Keys(tmp_path)
    made, _ = keys.create(Role.ADMIN)
    with pytest.raises(UnknownKey) as refused:
        keys.revoke("00000000")
    assert refused.value.code == "key-unknown"
    assert keys.valid_key(made.id) == made


@pytest.mark.parametrize(
    "text",
    [
        "mien_{id}_{secret}x", "xmien_{id}_{secret}", "mien_{id}_{secret} ", "mien_{id}{secret}",
        "mien_{id}_{secret}\n", "MIEN_{id}_{secret}", "mien_{id}_", "mien__{secret}", "{secret}",
    ],
)  # fmt: skip
def test_a_key_of_another_form_is_rejected(tmp_path, text):
    keys = Keys(tmp_path)
    made, given = keys.create(Role.ADMIN)
    assert re.fullmatch(r"mien_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", given)
    assert keys.check(text.format(id=made.id, secret=given[14:])) is None
    assert keys.check(given) == made


def test_only_the_owner_may_enter_the_folder(tmp_path):
    own, others = tmp_path / "keys", tmp_path / "others"
    others.mkdir(mode=0o755)
    (others / "file").touch()
    for folder in (own, others):
        Keys(folder).create(Role.ADMIN)
        for name in ("keys.sqlite", "keys.secret"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o755)
    Keys(own)
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_other_files_stays_as_it_is(tmp_path):
    (tmp_path / "file").touch()
    tmp_path.chmod(0o755)
    Keys(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_damaged_database_or_folder_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    damaged = tmp_path / "damaged"
    keys = Keys(damaged)
    (damaged / "keys.sqlite").write_bytes(b"x" * 10_000)
    for folder in (tmp_path / "file", damaged):
        with pytest.raises(OutputError, match=f"the keys in {folder} cannot be used") as refused:
            Keys(folder)
        assert refused.value.code == "keys-unusable"
        assert refused.value.hint
    with pytest.raises(OutputError, match="file is not a database"):
        keys.create(Role.ADMIN)


def test_an_unreadable_secret_file_is_an_error(tmp_path):
    (tmp_path / "keys.secret").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        Keys(tmp_path)


def test_a_secret_file_is_written_once(tmp_path):
    Keys(tmp_path)
    secret = (tmp_path / "keys.secret").read_bytes()
    assert len(secret) == 32
    Keys(tmp_path)
    assert (tmp_path / "keys.secret").read_bytes() == secret
    Keys(tmp_path / "other")
    assert (tmp_path / "other" / "keys.secret").read_bytes() != secret


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
