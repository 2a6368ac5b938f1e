"""Nothing leaves the machine, and nothing is written but outputs: every command, a real server.

The programs run with MIEN_OFFLINE=1 and an empty home folder, over toy models. strace sees the
system calls of native code too; where it is missing, only the files are checked.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import types
import urllib.request
import zipfile
from pathlib import Path

import pytest

import mien

pytest.importorskip("fastapi")
pytest.importorskip("gunicorn")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="watched by strace, and in ~/.cache"
)

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "compatibility" / "fixtures" / "0.1.0"
TOYS = ("--detector", "toy-detector", "--embedder", "toy-embedder", "--jobs", "1")
PHOTO = "photos/new/ada.png"
FILE = "recognizers/prototype.onnx"

COMMANDS = {
    "build": ["dataset", "build", "photos/people.csv", "-o", "dataset", *TOYS],
    "show": ["dataset", "show", "dataset"],
    "check": ["dataset", "check", "dataset"],
    "leaks": ["dataset", "leaks", "dataset"],
    "review": ["dataset", "review", "dataset"],
    "train": ["train", "dataset", "-o", "new.onnx"],
    "evaluate": ["evaluate", FILE, "dataset", "-o", "report.html"],
    "all-pairs": ["evaluate", "all-pairs", "dataset"],
    "identify": ["identify", FILE, PHOTO, "--draw", "named.jpg"],
    "align": ["align", PHOTO, "-o", "face.jpg"],
    "verify": ["verify", PHOTO, PHOTO],
    "info": ["info", FILE],
    "identify by gallery": ["identify", "gallery", PHOTO],
    "gallery add": ["gallery", "add", "gallery", "New", "photos/strangers/stranger_21/0.png"],
    "gallery show": ["gallery", "show", "gallery"],
    "gallery export": ["gallery", "export", "gallery", "-o", "all.mien-gallery"],
    "gallery import": ["gallery", "import", "gallery.mien-gallery", "copy"],
    "gallery to-onnx": ["gallery", "to-onnx", "gallery", "-o", "gallery.onnx"],
    "gallery check": ["gallery", "check", "gallery"],
    "deploy app": ["deploy", "app", FILE, "-o", "shipped"],
    "models list": ["models", "list"],
    "models verify": ["models", "verify"],
    "models pull": ["models", "pull"],
    "keys": ["keys", "create", "--role", "viewer", "--data", "server"],
}
NEED_WEIGHTS = {"align", "verify", "models pull"}
"""They end with exit code 12: the default models' weights are not there, and are not fetched."""

WRITES = re.compile(
    r"O_(?:WRONLY|RDWR|CREAT).* = \d+<(/[^>]*)>|mkdir(?:at)?\(.*\"(/[^\"]*)\".* = 0"
)
ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
SENDS = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(")
CALLS = "connect,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat"


class Watched:
    """Runs programs in a copy of the fixtures and finds out what they send and write.

    Args:
        folder: empty; it gets the copy, the home folder and the traces.
    """

    def __init__(self, folder: Path) -> None:
        self.here, self.home, self._temporary = folder / "here", folder / "home", folder / "tmp"
        self._trace = folder / "trace"
        shutil.copytree(FIXTURES, self.here)
        self.home.mkdir()
        self._temporary.mkdir()
        kept = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ
        }
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "TMPDIR": str(self._temporary),
            "MIEN_HOME": str(self.here / "home"),
            "MIEN_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *command: object) -> subprocess.Popen[str]:
        """Start a program, under strace where there is one."""
        strace = shutil.which("strace")
        prefix = [strace, "-f", "-y", "-s", "200", "-o", self._trace, "-e", f"trace={CALLS}"]
        return subprocess.Popen(
            [*map(str, (*(prefix if strace else ()), *command))],
            cwd=self.here,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: object, code: int = 0) -> None:
        """Run a program to its end; it must have this exit code."""
        process = self.start(*command)
        _, said = process.communicate(timeout=300)
        assert process.returncode == code, said

    def outside(self) -> set[str]:
        """Return the addresses beyond loopback that were asked, and the files written elsewhere."""
        found = {str(path) for folder in (self.home, self._temporary) for path in folder.rglob("*")}
        lines = (
            self._trace.read_text("utf-8", "replace").splitlines() if self._trace.exists() else []
        )
        for line in lines:
            if SENDS.search(line):
                found |= {address for address in ADDRESS.findall(line) if not _loopback(address)}
            elif written := WRITES.search(line):
                path = written[1] or written[2]
                if not path.startswith((f"{self.here}/", f"{self._temporary}/", "/dev/", "/proc/")):
                    found.add(path)
        return found


def encode_multipart(photo: bytes) -> tuple[bytes, str]:
    """Return the body and the content type of a form with one photo."""
    head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + photo + b"\r\n--edge--\r\n"
    return body, "multipart/form-data; boundary=edge"


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", "::ffff:127.0.0.1"}


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_sends_nothing_and_writes_only_its_outputs(watched, name):
    code = 12 if name in NEED_WEIGHTS else 0
    watched.run(sys.executable, "-m", "mien", *COMMANDS[name], code=code)
    assert watched.outside() == set()


def test_a_deployed_app_sends_nothing(watched):
    with zipfile.ZipFile(watched.here / "app.zip") as app:
        app.extractall(watched.here / "app")
    for arguments in (["deploy", "app", FILE, "-o", "app"], ["deploy", "check", "app", PHOTO]):
        watched.run(sys.executable, "-m", "mien", *arguments)
        assert watched.outside() == set()


def test_a_server_sends_nothing(watched):
    """While it identifies a photo by a file, which loads a model."""
    process = watched.start(
        sys.executable, "-m", "mien", "serve", FILE, "--gallery", "gallery", "--port", "0",
        "--data", "data",
    )  # fmt: skip
    try:
        address = next(line for line in process.stderr if "Mien is at" in line).split()[3]
        data, kind = encode_multipart((watched.here / PHOTO).read_bytes())
        request = urllib.request.Request(  # noqa: S310 — our own server
            f"{address}v1/identify", data, {"content-type": kind}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            assert answer.status == 200
    finally:
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child[0]) if shutil.which("strace") else process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    assert watched.outside() == set()


def test_the_library_sends_nothing(watched):
    watched.run(
        sys.executable, "-c",
        f"import mien, onnxruntime\nmien.Recognizer.load({FILE!r}).identify({PHOTO!r})",
    )  # fmt: skip
    assert watched.outside() == set()


def test_every_program_loads_onnxruntime_after_the_switch():
    """Programs of this repository take onnxruntime from `mien.session`, or import Mien before."""
    direct = re.compile(r"^import onnxruntime", re.MULTILINE)
    for folder in ("src", "benchmarks", "scripts", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            # The peers run in processes of their own, which get the variable.
            if path.name != "session.py" and "peers" not in path.parts:
                assert not direct.search(path.read_text("utf-8")), path


def test_this_test_sees_telemetry(watched):
    """Without the switch, what the tests above look for is there (wheels of onnxruntime 1.2x)."""
    watched.run(sys.executable, "-c", "import onnxruntime")
    if not watched.outside():
        pytest.skip("this onnxruntime has no telemetry")
    assert any("DeveloperTools" in path for path in watched.outside())


def test_a_program_that_imported_onnxruntime_first_is_warned(monkeypatch):
    calls = []
    loaded = types.SimpleNamespace(disable_telemetry_events=lambda: calls.append("off"))
    monkeypatch.setitem(sys.modules, "onnxruntime", loaded)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    with pytest.warns(RuntimeWarning, match="import mien first"):
        mien._switch_telemetry_off()
    assert calls == ["off"]
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    mien._switch_telemetry_off()  # once is enough
    assert calls == ["off"]
