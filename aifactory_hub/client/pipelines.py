"""Pipelines from a notebook: checked, started and followed."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from .api import default_session, upload
from .errors import ClientError
from .session import Session

# Where a repository's pipeline is.
FILE = ".aifactory/pipeline.yaml"
_PAUSE = 1.0


class PipelineRun:
    """A run of a pipeline. What is here is as it was last heard of."""

    def __init__(self, session: Session, data: dict[str, Any]) -> None:
        self._session = session
        self._data = data

    @property
    def data(self) -> dict[str, Any]:
        """The service's own answer."""
        return dict(self._data)

    @property
    def id(self) -> str:
        return str(self._data["id"])

    @property
    def state(self) -> str:
        """RUNNING, SUCCEEDED, STOPPED (a condition was not met), FAILED or CANCELLED."""
        return str(self._data["state"])

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.state != "RUNNING"

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """What is known of each job of it, by its key: ``train``, or ``train.1`` where there are several."""
        return {step["key"]: step for step in self._data["steps"]}

    def refresh(self) -> PipelineRun:
        """Ask the service again."""
        self._data = self._session.get(self._path)
        return self

    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end and return the state. Raises TimeoutError after ``timeout`` seconds."""
        give_up = None if timeout is None else time.monotonic() + timeout
        while not self.refresh().ended:
            if give_up is not None and time.monotonic() + _PAUSE > give_up:
                raise TimeoutError(f"Pipeline run {self.id} has not ended after {timeout:g} s; it goes on.")
            time.sleep(_PAUSE)
        return self.state

    def cancel(self) -> PipelineRun:
        """Stop what runs, and begin nothing more."""
        self._data = self._session.delete(self._path)
        return self

    def retry(self, step: str | None = None) -> PipelineRun:
        """A new run from ``step`` on; without one, from what did not succeed."""
        asked = {"key": uuid.uuid4().hex, "step": step}
        return PipelineRun(self._session, self._session.post(f"{self._path}/retry", asked))

    def compare(self, before: str | PipelineRun) -> dict[str, Any]:
        """This run beside an earlier one: the service's answer, with steps side by side and what was changed."""
        other = before.id if isinstance(before, PipelineRun) else before
        return self._session.get(f"{self._path}/comparison", {"before": other})

    @property
    def _path(self) -> str:
        return f"/pipeline-runs/{url_quote(self.id, safe='')}"

    def __repr__(self) -> str:
        return f"<PipelineRun {self.id} {self._data['name']} {self.state}>"


def check_pipeline(
    file: str | os.PathLike[str] = FILE, *, tenant: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """What is wrong with a pipeline file, and what would become of each step; nothing is started."""
    session = session or default_session()
    return session.change(f"{team_path(session, tenant)}/pipelines/check", {"pipeline": _text(file)})


def run_pipeline(
    file: str | os.PathLike[str] = FILE,
    *,
    files: str | os.PathLike[str] | None = ".",
    tenant: str | None = None,
    idempotency_key: str | None = None,
    cache: bool = True,
    session: Session | None = None,
) -> PipelineRun:
    """Start a pipeline now with the files of the folder ``files``; without ``cache`` each of its steps runs.

    Raises SubmitRefused, FilesTooLarge, ClientError.
    """
    session = session or default_session()
    team, text = team_path(session, tenant), _text(file)
    sent = None if files is None else upload(files, session=session, tenant=tenant or session.account.tenant)
    asked = {"key": idempotency_key or uuid.uuid4().hex, "pipeline": text, "files": sent}
    # A service before this one knows no such field.
    return PipelineRun(session, session.post(f"{team}/pipeline-runs", asked if cache else asked | {"cache": False}))


def pipeline_run(run_id: str, *, session: Session | None = None) -> PipelineRun:
    """The run with this id."""
    session = session or default_session()
    return PipelineRun(session, session.get(f"/pipeline-runs/{url_quote(run_id, safe='')}"))


def pipeline_runs(*, limit: int = 20, tenant: str | None = None, session: Session | None = None) -> list[PipelineRun]:
    """The team's newest runs, at most 200 of them."""
    session = session or default_session()
    found = session.get(f"{team_path(session, tenant)}/pipeline-runs", {"limit": min(limit, 200)})
    return [PipelineRun(session, one) for one in found["runs"]]


def team_path(session: Session, tenant: str | None) -> str:
    """The path of a team, by default the notebook's own. Raises ClientError."""
    chosen = tenant or session.account.tenant
    if chosen is None:
        raise ClientError("This notebook is in no team: pass tenant=.")
    return f"/tenants/{url_quote(chosen, safe='')}"


def _text(file: str | os.PathLike[str]) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"The pipeline file {os.fspath(file)!r} can't be read: {error}.") from error
