"""One job, as a person in a notebook handles it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .artifact import Artifact, Artifacts
from .errors import ClientError, JobFailed
from .files import OWN_FOLDER
from .printable import line, print_output
from .session import Session

if TYPE_CHECKING:
    from .history import MetricHistory
    from .model_registry import ModelVersion

_POLL = 1.0
# A job that goes on for hours is not asked every second how it is.
_SLOWEST_POLL = 5.0
_LAST_LINES = 20
# What ``logs(follow=True)`` gives back of what it printed: the end of it, in characters.
_KEPT = 4 * 2**20


class Job:
    """One job. What it knows is from the last time that it asked; ``refresh`` asks again, ``await job`` waits."""

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._session = session
        self._data = dict(data)

    @property
    def id(self) -> str:
        return str(self._data["id"])

    @property
    def name(self) -> str:
        return str(self._data["name"])

    @property
    def tenant(self) -> str:
        return str(self._data["tenant"])

    @property
    def owner(self) -> str:
        return str(self._data["owner"])

    @property
    def profile(self) -> str:
        return str(self._data["profile"])

    @property
    def command(self) -> str:
        return str(self._data["command"])

    @property
    def image(self) -> str:
        """What it runs in: the image of the notebook that it came from, by its digest, or the site's image of jobs."""
        return str(self._data["image"])

    @property
    def state(self) -> str:
        """HELD, PENDING, QUEUED, STARTING, RUNNING, SUSPENDED, SUCCEEDED, FAILED or CANCELLED."""
        return str(self._data["state"])

    @property
    def status(self) -> str:
        """The state, asked for now."""
        return self.refresh().state

    @property
    def final(self) -> bool:
        """Whether the state will not change any more."""
        return bool(self._data["final"])

    @property
    def reason(self) -> str | None:
        """Why it is in this state, if there is more to say."""
        reason: str | None = self._data["reason"]
        return reason

    @property
    def exit_code(self) -> int | None:
        code: int | None = self._data["exit_code"]
        return code

    @property
    def position(self) -> int | None:
        """How many of the team's are before this one in the queue; None when not queued or not known."""
        position: int | None = self._data.get("position")
        return position

    @property
    def expected_wait(self) -> dict[str, Any] | None:
        """Of a job that waits: for how long, in seconds (``low``, ``high``, ``most``), and in ``words``."""
        wait: dict[str, Any] | None = self._data.get("expected_wait")
        return wait

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Of a workflow its steps, of a job on several nodes its nodes: ``name``, ``state``, ``reason``, times."""
        return [dict(step) for step in self._data.get("steps") or []]

    @property
    def attempt(self) -> int:
        """The number of the present attempt, from 1 on."""
        return int(self._data.get("attempt") or 1)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Those that have begun, the first one first: ``attempt`` (its number), ``kind`` (why another one followed),
        ``reason``, ``exit_code``, times, ``held_seconds``, ``nodes``, ``devices``, ``log_size``."""
        return [dict(each) for each in self._data.get("attempts") or []]

    @property
    def cancelled_by(self) -> str | None:
        """Who asked for it to be cancelled."""
        by: str | None = self._data.get("cancelled_by")
        return by

    @property
    def progress(self) -> float | None:
        """Per cent, as the job itself says; None when it has said nothing."""
        said: float | None = (self._data.get("progress") or {}).get("percent")
        return said

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric that the job has reported, which may be NaN or infinite."""
        found = (self._data.get("progress") or {}).get("metrics") or {}
        return {name: float(value) for name, value in found.items()}

    def metric_history(self, name: str | None = None, *, attempt: int | None = None) -> MetricHistory:
        """The points of this metric, or of all, asked for now: a list of dictionaries, which ``pandas.DataFrame``
        takes. Long series are thinned, which ``thinned`` of the list says. Empty when nothing was reported."""
        from .history import MetricHistory

        asked = {"name": name, "attempt": attempt}
        params = {key: value for key, value in asked.items() if value is not None}
        return MetricHistory(self._session.get(f"/jobs/{self.id}/metrics", params))

    @property
    def eta(self) -> float | None:
        """Seconds until it ends, as the job itself says, counted on since it said so by the service's clock."""
        said = self._data.get("progress") or {}
        if self.final or said.get("eta_seconds") is None:
            return None
        since = 0.0
        if said.get("at"):
            since = max(0.0, self._session.now() - datetime.fromisoformat(said["at"]).timestamp())
        return max(0.0, float(said["eta_seconds"]) - since)

    @property
    def cost(self) -> dict[str, Any] | None:
        """``so_far``, ``at_most`` and ``per_hour`` as decimals in text, in ``currency``.

        None in them where the site sets no price.
        """
        cost: dict[str, Any] | None = self._data.get("cost")
        return cost

    @property
    def left(self) -> dict[str, str]:
        """Files that were not brought back, each with why."""
        return dict(self._data.get("left") or {})

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it comes from, asked for now: ``commit``, ``branch``, ``dirty``, ``diff``, ``packages``."""
        return dict(self._session.get(f"/jobs/{self.id}/provenance")["provenance"] or {})

    @property
    def simulated(self) -> bool:
        """Whether the cluster's GPUs are simulated."""
        return bool(self._data.get("simulated"))

    @property
    def data(self) -> dict[str, Any]:
        """All that the service said."""
        return dict(self._data)

    def refresh(self) -> Job:
        """Ask the service again."""
        self._data = self._session.get(f"/jobs/{self.id}")
        return self

    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = True,
        poll: float = _POLL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Wait for the end and return the final state, whichever it is; with ``progress`` print each change.

        A restart of the hub or the service is waited through. ``timeout`` in seconds; raises TimeoutError after it,
        and the job goes on.
        """
        began = time.monotonic()
        shown = None
        while True:
            self.refresh()
            if progress and (now := str(self)) != shown:
                print(now, flush=True)
                shown = now
            if self.final:
                return self.state
            waited = time.monotonic() - began
            if timeout is not None and waited >= timeout:
                raise TimeoutError(f"Job {self.id} is {self.state} after {timeout:g} s. It goes on.")
            sleep(min(max(poll, waited / 60), max(poll, _SLOWEST_POLL)))

    def __await__(self) -> Generator[Any, None, str]:
        """``await job``: the final state, while other tasks of the event loop go on."""
        import asyncio

        return asyncio.to_thread(self.wait, progress=False).__await__()

    def follow(self) -> Iterator[str]:
        """What the job prints, as it comes, until it has ended. A stream that breaks off goes on where it was."""
        for event in self._session.events(f"/jobs/{self.id}/events", {"log": "true"}):
            if event.name == "log":
                if event.data["skipped"]:
                    yield f"\n[{event.data['skipped']} bytes are not kept]\n"
                yield event.data["text"]
            elif event.name == "job":
                self._data = event.data
            elif event.name == "end":
                self.refresh()
                return

    def logs(self, follow: bool = False, *, attempt: int | None = None) -> str:
        """What the job's last attempt has printed, or the one of this number. With ``follow`` it is also printed here
        as it comes, until the job has ended. Raises ValueError for both."""
        if follow and attempt is not None:
            raise ValueError("follow reads the present attempt: leave attempt out, or read that one without follow")
        if not follow:
            asked = None if attempt is None else {"attempt": str(attempt)}
            return self._session.text(f"/jobs/{self.id}/logs", asked)
        seen = ""
        for text in print_output(self.follow()):
            seen = (seen + text)[-_KEPT:]
        return seen

    def last_lines(self, count: int = _LAST_LINES) -> str:
        """The end of what it printed."""
        return "\n".join(self.logs().splitlines()[-count:])

    @property
    def artifacts(self) -> Artifacts:
        """The files that it gave back, by name. All are there once the job has ended."""
        found = self._all_artifacts()
        return Artifacts({name: a for name, a in found.items() if not name.startswith(f"{OWN_FOLDER}/")})

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end of a function's job and return what the function returned, or raise what it raised.

        Raises JobFailed when the job ended in another way, with its last lines; TimeoutError after ``timeout`` seconds.
        """
        self.wait(timeout, progress=False)
        found = self._all_artifacts()
        told = found.get(f"{OWN_FOLDER}/result.json")
        if told is None:
            if self.state != "SUCCEEDED":
                raise JobFailed(self.id, self.state, self.reason, self.exit_code, self.last_lines())
            raise ClientError(f"Job {self.id} ran a command, which returns nothing: see its logs and artifacts.")
        from .results import read_result

        pickled = found.get(f"{OWN_FOLDER}/result.pickle")
        own = self.owner == self._session.account.user
        return read_result(json.loads(told.read()), None if pickled is None else pickled.read, own=own)

    def register(self, name: str, files: str = "", note: str = "") -> ModelVersion:
        """Register what it gave back as a version of a model, such as ``job.register("fraud", files="model/")``.

        ``files`` is a folder or a file among its artifacts, by default all. The same twice is the same version.
        """
        from .model_registry import register

        return register(self.id, name, files, note, session=self._session)

    def remove_files(self) -> Job:
        """Remove the files that the job gave back, once it has ended: they make room for others."""
        self._data = self._session.delete(f"/jobs/{self.id}/artifacts")
        return self

    def cancel(self) -> Job:
        """Ask for it to be stopped. No-op when it has ended; ``wait`` for CANCELLED."""
        self._data = self._session.delete(f"/jobs/{self.id}")
        return self

    def suspend(self) -> Job:
        """Ask for it to give its devices back until ``resume``; it goes on from its own checkpoints then."""
        self._data = self._session.change(f"/jobs/{self.id}/suspend")
        return self

    def resume(self) -> Job:
        """Let it go on."""
        self._data = self._session.change(f"/jobs/{self.id}/resume")
        return self

    def retry(self, *, idempotency_key: str | None = None) -> Job:
        """Run one that has ended once more, as a new job of the same files, command and profile."""
        body = {"key": idempotency_key or uuid.uuid4().hex}
        return Job(self._session, self._session.post(f"/jobs/{self.id}/retry", body))

    def _all_artifacts(self) -> dict[str, Artifact]:
        answer = self._session.get(f"/jobs/{self.id}/artifacts")
        return {data["name"]: Artifact(self._session, self.id, data) for data in answer["artifacts"]}

    def __str__(self) -> str:
        parts = [f"{self.id} {self.state}"]
        if self.position is not None:
            parts.append(f"{self.position} ahead in the queue")
        if self.progress is not None and not self.final:
            parts.append(f"{self.progress:.0f}%")
        if self.reason and self.reason != self.state.lower():
            parts.append(self.reason)
        return line(": ".join(parts)) + (" [simulated GPUs]" if self.simulated else "")

    def __repr__(self) -> str:
        return f"<Job {self}>"

    def _repr_html_(self) -> str:
        from .job_display import job_html

        return job_html(self)

    def _ipython_display_(self) -> None:
        from .job_display import show

        show(self)
