"""No credential stands in a file of the repository: known forms of keys and tokens."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each form is written in two parts, so that this file does not contain what it looks for.
FORMS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*" + r"PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=]{40}",
    "AWS access key": r"\b(?:AKIA|ASIA)" + r"[A-Z0-9]{16}\b",
    "AWS secret key": r"(?i)aws_secret_access_key\W{1,5}" + r"[A-Za-z0-9/+]{40}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|" + r"github_pat_\w{60,})",
    "GitLab token": r"\bglpat-" + r"[\w-]{20}\b",
    "PyPI token": r"\bpypi-" + r"AgEIcHlwaS5vcmc[\w-]{50,}",
    "npm token": r"\bnpm_" + r"[A-Za-z0-9]{36}\b",
    "Slack token": r"\bxox[abeoprs]-" + r"[\w-]{20,}",
    "Google key": r"\bAIza" + r"[\w-]{35}\b",
    "Heroku key": r"(?i)heroku\w*key\W{1,5}" + r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "Stripe key": r"\b[rs]k_live_" + r"[A-Za-z0-9]{20,}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ" + r"[\w-]{10,}\.[\w-]{20,}",
    "password in a URL": r"\b[a-z]+://[^\s/:@'\"{}<>$]+:"
    r"[^\s/:@'\"{}<>$]{6,}@[\w.-]+\.[a-z]{2}",
    "password in npm's or pip's settings": r"(?im)^\s*(?:_authToken|_password|//.*:_auth\w*)\s*="
    r"\s*[^\s$]{8,}",
}
SECRET = {name: re.compile(form.encode()) for name, form in FORMS.items()}

# Of these only the names are looked at.
FORBIDDEN_NAMES = re.compile(
    r"(^|/)(\.env(\..+)?|\.netrc|\.pypirc|\.npmrc|id_(rsa|dsa|ecdsa|ed25519)|credentials)$"
    r"|\.(pem|p12|pfx|jks|kdbx|keystore)$"
)


def files() -> list[str]:
    """Return the paths of the files that git knows or would add; skips outside a checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a checkout: {error}")
    return [path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()]


def secrets(data: bytes) -> list[str]:
    """Return the names of the forms that data contain."""
    return [name for name, form in SECRET.items() if form.search(data)]


def test_no_file_holds_a_secret():
    paths = files()
    assert "pyproject.toml" in paths
    found = {path: secrets((ROOT / path).read_bytes()) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}
    assert [path for path in paths if FORBIDDEN_NAMES.search(path)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("private key", "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "M" * 64),
        ("private key", "-----BEGIN " + "PRIVATE KEY-----\n" + "M" * 64),
        ("AWS access key", "AKIA" + "ABCDEFGH12345678"),
        ("AWS secret key", "aws_secret_access_key = '" + "a" * 40 + "'"),
        ("GitHub token", "ghp_" + "a" * 36),
        ("GitLab token", "glpat-" + "a" * 20),
        ("PyPI token", "pypi-" + "AgEIcHlwaS5vcmc" + "a" * 60),
        ("npm token", "npm_" + "a" * 36),
        ("Slack token", "xoxb-" + "1" * 24),
        ("Google key", "AIza" + "a" * 35),
        ("Heroku key", "HEROKU_API_KEY=" + "12345678-1234-1234-1234-123456789abc"),
        ("Stripe key", "sk_live_" + "a" * 24),
        ("JSON web token", "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 30),
        ("password in a URL", "https://me:" + "letmein@example.org"),
        ("password in npm's or pip's settings", "_authToken=" + "a" * 20),
    ],
)
def test_each_form_is_found(name, text):
    assert secrets(b"x = " + text.encode() if "settings" not in name else text.encode()) == [name]


@pytest.mark.parametrize("path", [".env", "a/.npmrc", "deploy/id_ed25519", "tls/server.pem"])
def test_files_that_hold_secrets_by_their_nature(path):
    assert FORBIDDEN_NAMES.search(path)
    assert not FORBIDDEN_NAMES.search("docs/env.md")
