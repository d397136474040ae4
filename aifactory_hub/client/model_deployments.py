"""Deployments: let a model answer under a name, ask it, and go back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .api import default_session
from .errors import ClientError
from .model_registry import reference
from .printable import line
from .session import Session

_EVERY = 1.0


class Deployment:
    """A model that answers under a name, as the service described it."""

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._session = session
        self._data = dict(data)

    @property
    def name(self) -> str:
        return str(self._data["name"])

    @property
    def tenant(self) -> str:
        return str(self._data["tenant"])

    @property
    def state(self) -> str:
        """STARTING, READY, UPDATING, DEGRADED, FAILED or STOPPED, when it was asked for."""
        return str(self._data["state"])

    @property
    def data(self) -> dict[str, Any]:
        """All that the service said."""
        return dict(self._data)

    def refresh(self) -> Deployment:
        """Ask the service again."""
        self._data = dict(self._session.get(self._path())["deployment"])
        return self

    def releases(self) -> list[dict[str, Any]]:
        """Its releases, the newest first."""
        return list(self._session.get(self._path())["releases"])

    def wait(self, timeout: float = 600.0) -> Deployment:
        """Until the newest release answers. Raises ClientError where it failed or was stopped, TimeoutError."""
        until = time.monotonic() + timeout
        while True:
            newest = self.refresh().data["newest"] or {"state": "PENDING", "reason": "", "number": 0}
            if newest["state"] == "SERVING":
                return self
            if newest["state"] in ("FAILED", "RETIRED") or self.state == "STOPPED":
                words = f"Release {newest['number']} of {self.name} is {newest['state']}: {newest['reason']}"
                raise ClientError(line(words))
            if time.monotonic() > until:
                raise TimeoutError(line(f"{self.name} is {self.state} after {timeout:g} s: {self.data['reason']}"))
            time.sleep(_EVERY)

    def predict(self, data: Any, *, name: str = "input", datatype: str = "FP64") -> Any:
        """Ask the model about ``data``, lists of rows or an array. Returns its first output as lists of rows.

        For several inputs see ``infer``. Raises Refused.
        """
        rows = data.tolist() if hasattr(data, "tolist") else data
        shape, flat = _shaped(rows)
        answer = self.infer([{"name": name, "datatype": datatype, "shape": shape, "data": flat}])
        [output, *_] = answer["outputs"]
        return _nested(list(output["data"]), list(output["shape"]))

    def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Ask as the Open Inference Protocol has it. Raises Refused."""
        return self._session.change(f"{self._path()}/infer", {"inputs": inputs})

    def rollback(self, reason: str, release: int | None = None) -> Deployment:
        """Go back to a release that has served, by default the one before; the alias goes back with it and is frozen.
        Raises Refused."""
        if release is None:
            # By its number: asked a second time after an answer that was lost, it must not go back two steps.
            release = self.refresh().data["back"]
            if release is None:
                raise ClientError(line(f"{self.name} has served nothing else before the present release."))
        answer = self._session.change(f"{self._path()}/rollback", {"reason": reason, "release": release})
        return self._taken(answer)

    def stop(self) -> Deployment:
        """End it; its history stays."""
        return self._taken(self._session.delete(self._path()))

    def usage(self, hours: int = 24, step: int = 1) -> dict[str, Any]:
        """How often it was asked through the service, in rows of ``step`` minutes, how long that took (milliseconds),
        and what its releases have ``held`` and cost."""
        return self._session.get(f"{self._path()}/usage", {"hours": hours, "step": step})

    def logs(self) -> str:
        """The end of what a replica has printed."""
        return self._session.text(f"{self._path()}/logs")

    def _taken(self, answer: Mapping[str, Any]) -> Deployment:
        _check_held(answer)
        self._data = dict(answer["deployment"])
        return self

    def _path(self) -> str:
        return _path(self.tenant, self.name)

    def __repr__(self) -> str:
        return line(f"<Deployment {self.name} {self.state} {self._data['model']}@{self._data['at']}") + ">"


class Held(ClientError):
    """People have to approve it first: then ask again."""


def deploy(
    version: str,
    *,
    profile: str,
    replicas: int = 1,
    name: str | None = None,
    framework: str = "auto",
    command: str = "",
    example: Mapping[str, Any] | None = None,
    recreate: bool = False,
    tenant: str | None = None,
    session: Session | None = None,
) -> Deployment:
    """Let a model answer, such as ``deploy("fraud@prod", profile="mig-1g.10gb", replicas=2)``: under its own name, or
    under ``name``.

    A deployment of an alias follows it: whenever the alias leads to another version, that becomes the next release,
    which takes over once it answers ``example``. One of a number stays with that version. The same again changes
    nothing. Raises Refused, and Held where people have to approve it first.
    """
    session = session or default_session()
    model, _ = reference(version)
    body: dict[str, Any] = {"model": version, "profile": profile, "replicas": replicas, "framework": framework}
    body |= {"command": command, "example": example, "recreate": recreate}
    team = tenant or session.account.tenant
    if team is None:
        raise ClientError("Your token is for several teams: say which, as tenant=.")
    answer = session.put(_path(team, name or model), body)
    _check_held(answer)
    return Deployment(session, answer["deployment"])


def deployments(tenant: str | None = None, *, session: Session | None = None) -> list[Deployment]:
    """The team's deployments, by name; those that were stopped too."""
    session = session or default_session()
    team = tenant or session.account.tenant
    if team is None:
        raise ClientError("Your token is for several teams: say which, as tenant=.")
    found = session.get(f"/tenants/{quote(team, safe='')}/deployments")
    return [Deployment(session, each) for each in found["deployments"]]


def _check_held(answer: Mapping[str, Any]) -> None:
    if answer["held"]:
        who = " and ".join(f"{need['count']} of {need['role']}" for need in answer["needs"])
        raise Held(line(f"A rule holds it until {who} approves it. Ask again then."))


def _path(tenant: str, name: str) -> str:
    return f"/tenants/{quote(tenant, safe='')}/deployments/{quote(name, safe='')}"


def _shaped(rows: Any) -> tuple[list[int], list[Any]]:
    """The shape of lists within lists, and their values row by row."""
    shape: list[int] = []
    flat: Any = rows if isinstance(rows, list | tuple) else [rows]
    level = flat
    while isinstance(level, list | tuple):
        shape.append(len(level))
        level = level[0] if level else None
    for _ in shape[1:]:
        flat = [value for row in flat for value in row]
    return shape, list(flat)


def _nested(values: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        values = [values[begin : begin + size] for begin in range(0, len(values), size)] if size else []
    return values
