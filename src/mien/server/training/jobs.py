"""Training jobs, run one after the other and resumed after a restart.

::

    jobs/ID/job.json      state of the job, replaced atomically
    jobs/ID/photos.csv    person of each numbered photo; deleted with the photos at the end
    jobs/ID/dataset/      from `mien dataset build`, which is resumable; deleted at the end
    jobs/ID/report.html   from `mien evaluate`
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.errors import MienError, NotServed, OutputError, ServerBusy
from mien.files import make_private_folder, sync_folder, write_atomically
from mien.problems import problem_of
from mien.server.http.error_responses import INTERNAL_ERROR, SEE_LOG, log_fault
from mien.server.http.forms import Upload
from mien.server.http.limits import Limits
from mien.server.inference.versions import HANDLE, Versions
from mien.server.training import job_run
from mien.server.training.job_photos import store_photos
from mien.text import count

FINISHED = frozenset({"done", "failed", "cancelled"})

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_KEPT_FILES = frozenset({"job.json", job_run.REPORT})

_log = logging.getLogger("mien.server")


@dataclass(frozen=True, slots=True)
class Job:
    """A training job.

    Attributes:
        id: time of creation and a random suffix.
        name: the user's name for the recognizer.
        handle: name of the recognizer in URLs.
        rate: false positive identification rate, in (0, 1).
        state: queued, running, done, failed or cancelled.
        stage: build, train or evaluate.
        done: completed steps of the stage.
        total: number of steps; None if unknown.
        message: progress in words.
        created: UTC time, ISO 8601.
        finished: UTC time, ISO 8601; empty until finished.
        people: number of people in the upload.
        photos: number of photos in the upload.
        version: version of the trained recognizer; empty until done.
        report: whether a report exists.
        error: problem document if the job failed.
        key: id of the key that created it.
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
    """The training jobs of a data folder.

    Args:
        folder: created if missing.
        versions: stores the trained recognizers.
        limits: maximum number of unfinished jobs.
    """

    def __init__(self, folder: Path, versions: Versions, limits: Limits) -> None:
        self._folder = folder
        self._versions = versions
        self._limits = limits
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], object]] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._stops: dict[str, threading.Event] = {}
        self._thread = threading.Thread(target=self._run_worker, name="mien-jobs", daemon=True)
        self._unsaved: set[str] = set()
        make_private_folder(folder)
        self._jobs = {job.id: job for job in _read_all(folder)}

    def start(self) -> None:
        """Start the worker and resume unfinished jobs."""
        if not self._thread.is_alive():
            for job in sorted(self._jobs.values(), key=lambda job: job.id):
                if job.state not in FINISHED:
                    self._stops[job.id] = threading.Event()
                    self._store_or_log(replace(job, state="queued"))
                    self._queue.put(job.id)
            self._thread.start()

    def close(self) -> None:
        """Interrupt the running job, which resumes on the next start."""
        self._stopping.set()
        for stop in self._stops.values():
            stop.set()
        self._queue.put("")
        if self._thread.is_alive():
            self._thread.join()
        self.notify()

    def check_capacity(self) -> None:
        """Raise ServerBusy if there are too many unfinished jobs."""
        if sum(job.state not in FINISHED for job in self._jobs.values()) >= self._limits.jobs:
            raise ServerBusy("too many training jobs are waiting", hint="Ask again in 60 s.")

    def create(self, uploads: Sequence[Upload], *, name: str, rate: float, key: str) -> Job:
        """Store the photos and queue a job.

        Raises:
            BadRequest: no photo is in a folder named after a person.
            UnsafeArchive: a zip archive with unsafe paths or extreme expansion.
            OutputError: the photos cannot be stored.
            ServerBusy: there are too many unfinished jobs.
        """
        self.check_capacity()
        now = datetime.now(UTC)
        job_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        folder = self._folder / job_id
        try:
            folder.mkdir(mode=0o700)
            stored = store_photos(uploads, folder)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise OutputError(f"the photos cannot be stored: {error.strerror}") from error
            raise
        photos = count(stored.photos, "photo")
        job = Job(
            job_id,
            name or "trained",
            handle_of(name),
            rate,
            created=now.isoformat(timespec="seconds"),
            people=stored.people,
            photos=stored.photos,
            message=f"{photos} of {count(stored.people, 'person', 'people')}",
            key=key,
        )
        self._stops[job_id] = threading.Event()
        self._store(job)
        self._queue.put(job_id)
        return job

    def all(self) -> list[Job]:
        """Return the jobs, latest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.id, reverse=True)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotServed: there is no job with that id.
        """
        with self._lock:
            found = self._jobs.get(job_id)
        if found is None:
            raise NotServed(f"there is no job {job_id}", hint="GET /v1/jobs lists the trainings.")
        return found

    def current(self, job_id: str) -> Job | None:
        """Return a job, or None if there is none, without waiting for the disk."""
        return self._jobs.get(job_id)

    @contextlib.contextmanager
    def listened_to(self, on_change: Callable[[], object]) -> Iterator[None]:
        """Call a function, from any thread, when a job has changed and when the server stops.

        Takes no lock: those who hold it may be writing to disk, and this is for the event loop.
        """
        self._listeners.append(on_change)
        try:
            yield
        finally:
            self._listeners.remove(on_change)

    def notify(self) -> None:
        """Call the listeners."""
        for on_change in tuple(self._listeners):
            with contextlib.suppress(RuntimeError):  # its event loop was closed meanwhile
                on_change()

    def report(self, job_id: str) -> bytes:
        """Return a job's report.

        Raises:
            NotServed: the job or its report does not exist.
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
        """Cancel an unfinished job; delete a finished one with its recognizer and its report.

        Raises:
            NotServed: there is no job with that id.
            JobRefused: its recognizer is in service.
            OutputError: a file cannot be deleted.
        """
        job = self.get(job_id)
        if job.state not in FINISHED:
            self._store(replace(job, state="cancelled", finished=_now(), message=""))
            self._stops[job_id].set()
            return
        if job.version:
            with contextlib.suppress(NotServed):  # it was deleted before
                self._versions.delete(job.handle, job.version)
        try:
            shutil.rmtree(self._folder / job_id)
            sync_folder(self._folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"job {job_id} cannot be deleted: {error.strerror}") from error
        with self._lock:
            self._jobs.pop(job_id, None)
            self.notify()

    def as_json(self, job: Job) -> dict[str, Any]:
        """Return a job as JSON for clients."""
        fields = asdict(job)
        del fields["rate"], fields["key"]
        serves = bool(job.version) and self._versions.is_in_service(job.handle, job.version)
        return {**fields, "in_service": serves}

    # The worker

    def _run_worker(self) -> None:
        while job_id := self._queue.get():
            if self._stopping.is_set():
                return
            job = self._jobs.get(job_id)
            if job is None or job.state in FINISHED:
                self._delete_inputs(job_id)
                continue
            try:
                self._run(replace(job, state="running"))
            except MienError as error:
                log_fault(error)
                problem = problem_of(error)
                self._fail(job_id, problem["detail"], problem["hint"])
            except Exception:  # noqa: BLE001 - the worker continues with the next job
                _log.exception("job %s", job_id)
                self._fail(job_id, INTERNAL_ERROR, SEE_LOG)
            if not self._stopping.is_set():
                self._delete_inputs(job_id)

    def _run(self, job: Job) -> None:
        folder, stop = self._folder / job.id, self._stops[job.id]
        for stage in job_run.stages(job.rate):
            job = replace(job, state="running", stage=stage.name, done=0, total=None, message="")
            if not self._update_unless_finished(job):
                return
            result = self._run_stage(stage, folder, job, stop)
            if stop.is_set():
                return
            if result.code and stage.required:
                detail, hint = job_run.failure_reason(result)
                if hint == SEE_LOG:
                    _log.error("job %s: %s: %s", job.id, stage.name, job_run.last_error(result))
                self._fail(job.id, detail, hint)
                return
        recognizer = (folder / job_run.RECOGNIZER).read_bytes()
        self._versions.add(job.handle, job.id, recognizer)
        has_report = (folder / job_run.REPORT).is_file()
        done = replace(
            job, state="done", finished=_now(), version=job.id, report=has_report, message=""
        )
        if not self._update_unless_finished(done):  # cancelled at the last moment
            self._versions.delete(job.handle, job.id)

    def _run_stage(
        self, stage: job_run.Stage, folder: Path, job: Job, stop: threading.Event
    ) -> job_run.StageResult:
        """Run a stage, and take note of its progress."""

        def on_progress(done: int, total: int | None, what: str) -> None:
            self._update_unless_finished(
                replace(job, done=done, total=total, message=what), persist=False
            )

        return job_run.run_again(stage, folder, on_progress, stop)

    def _fail(self, job_id: str, detail: str, hint: str) -> None:
        problem = {"title": "The training failed.", "status": 422, "detail": detail, "hint": hint}
        with self._lock:
            job = self._jobs[job_id]
            if job.state not in FINISHED:
                self._store_or_log(
                    replace(job, state="failed", finished=_now(), error=problem, message=detail)
                )

    def _update_unless_finished(self, job: Job, *, persist: bool = True) -> bool:
        """Take note of a job unless it was cancelled meanwhile."""
        with self._lock:
            current = self._jobs.get(job.id)
            if current is None or current.state in FINISHED:
                return False
            self._store(job, persist=persist)
        return True

    def _store(self, job: Job, *, persist: bool = True) -> None:
        with self._lock:
            if persist:
                text = json.dumps(asdict(job), ensure_ascii=False).encode("utf-8", "replace")
                write_atomically(self._folder / job.id / "job.json", text, private=True)
                self._unsaved.discard(job.id)
            self._jobs[job.id] = job
            self.notify()

    def _store_or_log(self, job: Job) -> None:
        """Take note of a job; where the disk does not, the job is done again after a restart."""
        try:
            self._store(job)
        except OutputError as error:
            _log.error("job %s: its state cannot be saved: %s", job.id, error)
            self._unsaved.add(job.id)
            self._store(job, persist=False)

    def _delete_inputs(self, job_id: str) -> None:
        """Delete the photos and the dataset of a finished job, if that is known to the disk."""
        if job_id in self._unsaved:
            return
        with contextlib.suppress(OSError):
            for path in (self._folder / job_id).iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name not in _KEPT_FILES:
                    path.unlink()


def handle_of(name: str) -> str:
    """Return the URL name of a recognizer's name: lower-case letters, digits and -."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return slug if HANDLE.fullmatch(slug) else "trained"


def _read_all(folder: Path) -> list[Job]:
    found = []
    for path in folder.iterdir():
        if _ID.fullmatch(path.name):
            try:
                found.append(Job(**json.loads((path / "job.json").read_bytes())))
            except (OSError, ValueError, TypeError):
                # The server was killed during the upload: the client got no response.
                if time.time() - path.stat().st_mtime > 1:
                    shutil.rmtree(path, ignore_errors=True)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
