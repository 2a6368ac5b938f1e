"""Jobs: photos in, a recognizer and its report out, one after the other, safe from kills.

::

    jobs/ID/job.json      the job as it stands; whoever reads it finds the old one or the new one
    jobs/ID/photos.csv    whose the numbered photos beside it are; gone when the job is over
    jobs/ID/dataset/      of `mien dataset build`, which goes on where it was interrupted; gone too
    jobs/ID/report.html   of `mien evaluate`
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import re
import secrets
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.errors import JobRefused, MienError, NotServed, OutputError, ServerBusy
from mien.files import write_atomically
from mien.problems import problem_of
from mien.server.http.error_responses import IN_THE_LOG, UNFORESEEN, log_fault
from mien.server.http.forms import Upload
from mien.server.http.limits import Limits
from mien.server.inference.versions import HANDLE, Versions
from mien.server.training import job_run
from mien.server.training.job_photos import keep_photos
from mien.text import count

OVER = frozenset({"done", "failed", "cancelled"})

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_KEPT = frozenset({"job.json", job_run.REPORT})
_BETWEEN_TRIES = 2.0
_TRIES = 300

_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class Job:
    """A training.

    Attributes:
        id: when it came, and some chance.
        name: as the user calls the recognizer.
        handle: by which it will answer.
        rate: share of strangers who may be given any name.
        state: queued, running, done, failed or cancelled.
        stage: build, train or evaluate.
        done: steps of the stage behind it.
        total: of so many; None while unknown.
        message: what it does, in words.
        created: UTC time, ISO 8601.
        finished: the same; empty while it is not over.
        people: in the upload.
        photos: in the upload.
        version: of the recognizer that it made; empty until then.
        report: whether there is one.
        error: what went wrong, as a problem.
        key: id of the key that started it.
    """

    id: str
    name: str
    handle: str
    rate: float
    state: str = "queued"
    stage: str = "build"
    done: int = 0
    total: int | None = None
    message: str = ""
    created: str = ""
    finished: str = ""
    people: int = 0
    photos: int = 0
    version: str = ""
    report: bool = False
    error: dict[str, Any] | None = None
    key: str = ""


class Jobs:
    """The jobs of a data folder.

    Args:
        folder: made where there is none.
        versions: where recognizers go.
        limits: how many may wait.
    """

    def __init__(self, folder: Path, versions: Versions, limits: Limits) -> None:
        self._folder = folder
        self._versions = versions
        self._limits = limits
        self._changed = threading.Condition()
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._stops: dict[str, threading.Event] = {}
        self._thread = threading.Thread(target=self._work, name="mien-jobs", daemon=True)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._jobs = {job.id: job for job in _read_all(folder)}

    def start(self) -> None:
        """Go on with what was not over when the server stopped."""
        if not self._thread.is_alive():
            for job in sorted(self._jobs.values(), key=lambda job: job.id):
                if job.state not in OVER:
                    self._stops[job.id] = threading.Event()
                    self._put(replace(job, state="queued"))
                    self._queue.put(job.id)
            self._thread.start()

    def close(self) -> None:
        """Interrupt the running job; it goes on when the server is next started."""
        self._stopping.set()
        for stop in self._stops.values():
            stop.set()
        self._queue.put("")
        if self._thread.is_alive():
            self._thread.join()
        with self._changed:
            self._changed.notify_all()

    def check_room(self) -> None:
        """Raise ServerBusy where as many jobs wait as may."""
        if sum(job.state not in OVER for job in self._jobs.values()) >= self._limits.jobs:
            raise ServerBusy("as many trainings wait as may", hint="Ask again in 60 s.")

    def create(self, uploads: Sequence[Upload], *, name: str, rate: float, key: str) -> Job:
        """Take photos and queue a training.

        Raises:
            BadRequest: no photos of people in it.
            UnsafeArchive: a zip that is made to do harm.
            OutputError: they cannot be kept.
            ServerBusy: as many wait as may.
        """
        self.check_room()
        now = datetime.now(UTC)
        job_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        folder = self._folder / job_id
        try:
            folder.mkdir(mode=0o700)
            kept = keep_photos(uploads, folder)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise OutputError(f"the photos cannot be kept: {error.strerror}") from error
            raise
        job = Job(
            job_id,
            name or "trained",
            handle_of(name),
            rate,
            created=now.isoformat(timespec="seconds"),
            people=kept.people,
            photos=kept.photos,
            message=f"{count(kept.photos, 'photo')} of {count(kept.people, 'person', 'people')}",
            key=key,
        )
        self._stops[job_id] = threading.Event()
        self._put(job)
        self._queue.put(job_id)
        return job

    def all(self) -> list[Job]:
        """Return the jobs, latest first."""
        with self._changed:
            return sorted(self._jobs.values(), key=lambda job: job.id, reverse=True)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotServed: there is none of that id.
        """
        with self._changed:
            found = self._jobs.get(job_id)
        if found is None:
            raise NotServed(f"there is no job {job_id}", hint="GET /v1/jobs lists the trainings.")
        return found

    def wait(self, job_id: str, seen: Job | None, seconds: float) -> Job | None:
        """Return a job once it is no longer as it was `seen`; None where nothing changed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._jobs.get(job_id) is not seen or self._stopping.is_set(), seconds
            )
            found = self._jobs.get(job_id)
        return None if found is seen else found

    def report(self, job_id: str) -> bytes:
        """Return a job's report.

        Raises:
            NotServed: there is none.
        """
        job = self.get(job_id)
        try:
            return (self._folder / job.id / job_run.REPORT).read_bytes()
        except OSError as error:
            raise NotServed(
                "the job has no report",
                hint="It has one when its training is done: GET /v1/jobs/{id} says how it stands.",
            ) from error

    def remove(self, job_id: str) -> None:
        """Cancel a job that is not over; delete one that is, with its report.

        Raises:
            NotServed: there is none of that id.
            JobRefused: what it made is in service.
        """
        job = self.get(job_id)
        if job.state not in OVER:
            self._put(replace(job, state="cancelled", finished=_now(), message=""))
            self._stops[job_id].set()
            return
        if job.version and self._versions.serves(job.handle, job.version):
            raise JobRefused(
                "what it made is in service", hint="Put another version in service first."
            )
        with self._changed:
            del self._jobs[job_id]
            self._changed.notify_all()
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def as_json(self, job: Job) -> dict[str, Any]:
        """Return a job as it is told."""
        fields = asdict(job)
        del fields["rate"], fields["key"]
        serves = bool(job.version) and self._versions.serves(job.handle, job.version)
        return {**fields, "in_service": serves}

    # The worker

    def _work(self) -> None:
        while job_id := self._queue.get():
            if self._stopping.is_set():
                return
            job = self._jobs.get(job_id)
            if job is None or job.state in OVER:
                self._tidy(job_id)
                continue
            try:
                self._run(replace(job, state="running"))
            except MienError as error:
                log_fault(error)
                problem = problem_of(error)
                self._fail(job_id, problem["detail"], problem["hint"])
            except Exception:  # noqa: BLE001 - the worker goes on with the next
                _log.exception("job %s", job_id)
                self._fail(job_id, UNFORESEEN, IN_THE_LOG)
            if not self._stopping.is_set():
                self._tidy(job_id)

    def _run(self, job: Job) -> None:
        folder, stop = self._folder / job.id, self._stops[job.id]
        for stage in job_run.stages(job.rate):
            job = replace(job, state="running", stage=stage.name, done=0, total=None, message="")
            if not self._put_unless_over(job):
                return
            ended = self._patiently(stage, folder, job, stop)
            if stop.is_set():
                return
            if ended.code and stage.needed:
                detail, hint = job_run.why(ended)
                if hint == IN_THE_LOG:
                    _log.error("job %s: %s: %s", job.id, stage.name, job_run.said(ended))
                self._fail(job.id, detail, hint)
                return
        recognizer = (folder / job_run.RECOGNIZER).read_bytes()
        self._versions.add(job.handle, job.id, recognizer)
        has_report = (folder / job_run.REPORT).is_file()
        done = replace(
            job, state="done", finished=_now(), version=job.id, report=has_report, message=""
        )
        self._put_unless_over(done)

    def _patiently(
        self, stage: job_run.Stage, folder: Path, job: Job, stop: threading.Event
    ) -> job_run.Ended:
        """Run a stage; where the process of a killed server still builds, wait for it."""

        def tell(done: int, total: int | None, what: str) -> None:
            self._put_unless_over(replace(job, done=done, total=total, message=what), written=False)

        for _ in range(_TRIES):
            ended = job_run.run(stage, folder, tell, stop)
            busy = ended.code == job_run.BUSY and "another process" in ended.error
            if not busy or stop.wait(_BETWEEN_TRIES):
                break
        return ended

    def _fail(self, job_id: str, detail: str, hint: str) -> None:
        problem = {"title": "The training failed.", "status": 422, "detail": detail, "hint": hint}
        job = self._jobs[job_id]
        self._put_unless_over(
            replace(job, state="failed", finished=_now(), error=problem, message=detail)
        )

    def _put_unless_over(self, job: Job, *, written: bool = True) -> bool:
        """Take note of a job unless it was cancelled meanwhile."""
        with self._changed:
            now = self._jobs.get(job.id)
            if now is None or now.state in OVER:
                return False
            self._put(job, written=written)
        return True

    def _put(self, job: Job, *, written: bool = True) -> None:
        with self._changed:
            if written:
                text = json.dumps(asdict(job), ensure_ascii=False).encode("utf-8", "replace")
                write_atomically(self._folder / job.id / "job.json", text, private=True)
            self._jobs[job.id] = job
            self._changed.notify_all()

    def _tidy(self, job_id: str) -> None:
        """Delete the photos and the dataset of a job that is over."""
        with contextlib.suppress(OSError):
            for path in (self._folder / job_id).iterdir():
                if path.name in _KEPT:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def handle_of(name: str) -> str:
    """Return the handle of a recognizer by what the user calls it: small letters, digits, -."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return slug if HANDLE.fullmatch(slug) else "trained"


def _read_all(folder: Path) -> list[Job]:
    found = []
    for path in folder.iterdir():
        if _ID.fullmatch(path.name):
            try:
                found.append(Job(**json.loads((path / "job.json").read_bytes())))
            except (OSError, ValueError, TypeError):
                # Killed while its photos came: it was never acknowledged.
                if time.time() - path.stat().st_mtime > 1:
                    shutil.rmtree(path, ignore_errors=True)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
