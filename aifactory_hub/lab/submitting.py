"""From what was filled in to a job: the client sends the files, the service says the rest.

All of it blocks, so handlers call it in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client import api as client
from ..client.packing import listed
from ..client.provenance import provenance
from ..client.session import Account, Session
from .subjects import NotASubject, below

# Seconds. A person waits, and can press the button again: the same key makes the same job.
_TIMEOUT = 15.0
_JOBS = "jobs"
# What the service wants to know of a schedule besides its job.
_TIMING = ("cron", "time_zone", "overlap")


class BadForm(Exception):
    """The page sent what it should not have; the text names the field."""


@dataclass(frozen=True, slots=True)
class Form:
    """``folder`` travels, None when nothing does; ``fields`` go to the service as they are.

    ``path`` is what was submitted, for the record: so that it can be submitted again.
    """

    folder: str | None
    fields: Mapping[str, Any]
    path: str | None = None


def read_form(body: Mapping[str, Any]) -> Form:
    """What the page has sent. Raises BadForm."""
    known = {"path", "folder", "notebook", "parameters", "fields", "key"}
    for name in body:
        if name not in known:
            raise BadForm(f"There is no field {name!r}.")
    fields, folder = body.get("fields"), body.get("folder")
    if not isinstance(fields, dict):
        raise BadForm("fields is not an object.")
    if folder is not None and not isinstance(folder, str):
        raise BadForm("folder is neither a path nor null.")
    taken = dict(fields)
    notebook, parameters = body.get("notebook"), body.get("parameters") or {}
    if notebook is not None:
        if not isinstance(notebook, str) or not isinstance(parameters, dict):
            raise BadForm("notebook is not a name, or parameters is not an object.")
        for name in parameters:
            if not str(name).isidentifier():
                raise BadForm(f"{name!r} is not the name of a parameter.")
        taken["command"] = client.notebook_command(notebook, parameters)
    key = body.get("key")
    if key is not None:
        taken["key"] = key
    path = body.get("path")
    if path is not None and not isinstance(path, str):
        raise BadForm("path is not a path.")
    return Form(folder, taken, path)


def read_timing(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Form]:
    """When a schedule submits, as the service takes it, and what. Raises BadForm."""
    timing = {name: value for name, value in body.items() if name in _TIMING}
    form = read_form({name: value for name, value in body.items() if name not in (*_TIMING, "key")})
    if not isinstance(body.get("key"), str):
        raise BadForm("key is missing.")
    return {**timing, "key": body["key"]}, form


class Submitting:
    """Submits and saves as this server. Raises ClientError, NotASubject."""

    def __init__(self, account: Account, root: Path) -> None:
        self._root = root
        self._account = account

    def size(self, form: Form) -> int | None:
        """How many bytes would travel at most; None when nothing would. Raises FilesTooLarge."""
        if form.folder is None:
            return None
        with closing(self._session()) as session:
            limit = int(session.get("/limits")["max_upload"])
            return sum(entry.size for entry in listed(self._folder(form.folder), limit=limit)[0])

    def asked(self, form: Form) -> dict[str, Any]:
        """The form as the service takes it: as this server's, and in its image where the hub has said which it is."""
        server = {} if self._account.server is None else {"server": self._account.server}
        return {"tenant": self._account.tenant, **form.fields, **server}

    def submit(self, form: Form) -> Mapping[str, Any]:
        """The job, as the service answers it."""
        with closing(self._session()) as session:
            return session.post("/jobs", self._sent(form, session))

    def schedule(self, form: Form, timing: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schedule of this job, as the service answers it. The files are sent now."""
        with closing(self._session()) as session:
            job = self._sent(form, session)
            return session.post("/schedules", {**timing, "tenant": job.pop("tenant"), "job": job})

    def _sent(self, form: Form, session: Session) -> dict[str, Any]:
        """The job as the service takes it, with its files at the service."""
        folder = None if form.folder is None else self._folder(form.folder)
        told = provenance(folder) | ({} if form.path is None else {"path": form.path})
        fields = {**self.asked(form), "provenance": told}
        if folder is not None:
            fields["files"] = client.upload(folder, session=session, tenant=fields["tenant"])
        return fields

    def save(self, job_id: str, name: str) -> str:
        """Put a file of a job below the server's folder, checked against its digest; its path there."""
        with closing(self._session()) as session:
            found = client.get(job_id, session=session)
            artifact = found.artifacts.get(name)
            if artifact is None:
                raise NotASubject(f"Job {job_id} gave back no file {name!r}.")
            folder = below(self._root, f"{_JOBS}/{_plain(found.name)}-{found.id[:8]}")
            target = artifact.save_below(folder)
        return target.relative_to(self._root).as_posix()

    def _folder(self, path: str) -> Path:
        return below(self._root, path)

    def _session(self) -> Session:
        return Session(self._account, timeout=_TIMEOUT)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:40] or "job"
