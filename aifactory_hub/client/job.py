"""Jobs, as a person in a notebook handles them."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from .errors import ClientError
from .packing import pack
from .session import Session, read_account

_POLL = 1.0
_CHUNK = 256 * 1024


class Artifact:
    """One file that a job gave back. ``size`` in bytes."""

    def __init__(self, session: Session, job_id: str, data: Mapping[str, Any]) -> None:
        self._session = session
        self._path = f"/jobs/{job_id}/artifacts/{url_quote(data['name'], safe='')}"
        self.name: str = data["name"]
        self.size: int = data["size"]
        self.sha256: str = data["sha256"]

    def read(self) -> bytes:
        """The content, checked against its digest."""
        return b"".join(self._checked())

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the content to ``path``, by default its own name below the current folder. The file appears whole."""
        target = Path(self.name if path is None else path)
        if target.is_dir():
            target = target / Path(self.name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            aside = Path(file.name)
            try:
                for chunk in self._checked():
                    file.write(chunk)
                file.close()
                aside.chmod(0o644)
                aside.replace(target)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
        return target

    def _checked(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self._session.download(self._path) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.sha256:
            raise ClientError(f"{self.name} arrived damaged: its SHA-256 is not {self.sha256}. Try again.")

    def __repr__(self) -> str:
        return f"<Artifact {self.name}: {self.size} bytes>"


class Job:
    """One job. What it knows is from the last time that it asked; ``refresh`` asks again."""

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
    def state(self) -> str:
        """PENDING, QUEUED, STARTING, RUNNING, SUCCEEDED, FAILED or CANCELLED."""
        return str(self._data["state"])

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
        """How many of the team's jobs are before this one in the queue; None when not queued or not known."""
        position: int | None = self._data.get("position")
        return position

    @property
    def left(self) -> dict[str, str]:
        """Files that were not brought back, each with why."""
        return dict(self._data.get("left") or {})

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
        give_up = None if timeout is None else time.monotonic() + timeout
        shown = None
        while True:
            self.refresh()
            if progress and (line := str(self)) != shown:
                print(line, flush=True)
                shown = line
            if self.final:
                return self.state
            if give_up is not None and time.monotonic() >= give_up:
                raise TimeoutError(f"Job {self.id} is {self.state} after {timeout:g} s. It goes on.")
            sleep(poll)

    def logs(self, follow: bool = False, *, sleep: Callable[[float], None] = time.sleep) -> str:
        """What the job has printed. With ``follow`` it is also printed here as it comes, until the job has ended."""
        if not follow:
            return self._session.text(f"/jobs/{self.id}/logs")
        seen = ""
        while True:
            final = self.refresh().final
            text = self._session.text(f"/jobs/{self.id}/logs")
            sys.stdout.write(_news(seen, text))
            sys.stdout.flush()
            seen = text or seen
            if final:
                return seen
            sleep(_POLL)

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """The files that it gave back, by name. All are there once the job has ended."""
        answer = self._session.get(f"/jobs/{self.id}/artifacts")
        return {data["name"]: Artifact(self._session, self.id, data) for data in answer["artifacts"]}

    def cancel(self) -> Job:
        """Ask for it to be stopped. No-op when it has ended; ``wait`` for CANCELLED."""
        self._data = self._session.delete(f"/jobs/{self.id}")
        return self

    def __str__(self) -> str:
        parts = [f"{self.id} {self.state}"]
        if self.position is not None:
            parts.append(f"{self.position} before it")
        if self.reason:
            parts.append(self.reason)
        return ": ".join(parts) + (" [simulated GPUs]" if self.simulated else "")

    def __repr__(self) -> str:
        return f"<Job {self}>"


def submit(
    command: str,
    *,
    profile: str | None = None,
    name: str | None = None,
    files: str | os.PathLike[str] | None = ".",
    outputs: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    tenant: str | None = None,
    idempotency_key: str | None = None,
    wait: bool = False,
    session: Session | None = None,
) -> Job:
    """Submit ``command`` (run by ``sh -c``) as a job of the notebook's team.

    The folder ``files`` travels with it and is where it runs. ``outputs`` are patterns of the files to bring back,
    by default all that are new or changed. ``profile`` is by default the notebook's own. ``env`` is for the command.
    Two calls with one ``idempotency_key`` make one job; by default each call has its own.

    Raises SubmitRefused, FilesTooLarge, NotInNotebook, ServiceUnavailable.
    """
    session = session or _default_session()
    request: dict[str, Any] = {
        "command": command,
        "profile": profile or session.account.profile,
        "name": name,
        "tenant": tenant or session.account.tenant,
        "key": idempotency_key or uuid.uuid4().hex,
        "outputs": None if outputs is None else list(outputs),
        "environment": dict(env or {}),
    }
    if files is not None:
        request["files"] = _upload(session, Path(files), request["tenant"])
    job = Job(session, session.post("/jobs", request))
    if wait:
        job.wait()
    return job


def get(job_id: str, *, session: Session | None = None) -> Job:
    """The job with this id. Raises UnknownJob."""
    session = session or _default_session()
    return Job(session, session.get(f"/jobs/{url_quote(job_id, safe='')}"))


def jobs(
    *, mine: bool = False, limit: int = 50, tenant: str | None = None, session: Session | None = None
) -> list[Job]:
    """The newest jobs of the notebook's team, or only one's own."""
    session = session or _default_session()
    params: dict[str, Any] = {"mine": str(mine).lower(), "limit": limit}
    if tenant is not None:
        params["tenant"] = tenant
    return [Job(session, data) for data in session.get("/jobs", params)["jobs"]]


def quota(*, tenant: str | None = None, session: Session | None = None) -> dict[str, Any]:
    """What the team may hold, holds, and what fits now."""
    session = session or _default_session()
    wanted = tenant or session.account.tenant
    return session.get("/quota", {} if wanted is None else {"tenant": wanted})


def _upload(session: Session, folder: Path, tenant: str | None) -> str:
    limit = int(session.get("/limits")["max_upload"])
    with tempfile.TemporaryDirectory(prefix="aifactory-") as scratch:
        packed = pack(folder, Path(scratch) / "files.tar.gz", limit=limit)
        for entry, why in packed.skipped.items():
            print(f"not sent: {entry} ({why})", file=sys.stderr)
        params = {} if tenant is None else {"tenant": tenant}
        session.put_file(f"/uploads/{packed.sha256}", packed.path, params)
    return packed.sha256


def _news(seen: str, text: str) -> str:
    """What ``text`` has beyond ``seen``, where its beginning may have been cut off since."""
    if text.startswith(seen):
        return text[len(seen) :]
    tail = seen[-256:]
    place = text.rfind(tail)
    return text if place < 0 else text[place + len(tail) :]


_sessions: dict[Any, Session] = {}


def _default_session() -> Session:
    account = read_account()
    # By process as well: a forked one must not share its parent's connections.
    place = (os.getpid(), account)
    if place not in _sessions:
        _sessions[place] = Session(account)
    return _sessions[place]
