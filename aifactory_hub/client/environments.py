"""Environments from a notebook: what the team has, and what is installed here beside the image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .api import default_session
from .errors import ClientError
from .pipelines import team_path
from .provenance import packages
from .session import Session

VARIABLE = "AIFACTORY_ENVIRONMENT"


@dataclass(frozen=True, slots=True)
class Drift:
    """The packages that differ from the lock of ``environment`` (``name@version``): package -> version there, here.

    None where one has it not. What is here and not in the lock was installed beside it, or is the base image's.
    """

    environment: str
    differs: Mapping[str, tuple[str | None, str | None]]

    def __str__(self) -> str:
        if not self.differs:
            return f"nothing differs from {self.environment}"
        count = len(self.differs)
        return f"{count} {'package differs' if count == 1 else 'packages differ'} from {self.environment}"


def environments(*, tenant: str | None = None, session: Session | None = None) -> list[dict[str, Any]]:
    """The team's environments with their versions, and how each goes with the team's profiles."""
    session = session or default_session()
    found: list[dict[str, Any]] = session.get(f"{team_path(session, tenant)}/environments")["environments"]
    return found


def drift(
    *, environment: str | None = None, installed: Iterable[str] | None = None, session: Session | None = None
) -> Drift:
    """Compare the packages installed here with the lock of this server's environment, or of another ``name@version``.

    Raises ClientError where there is no environment or no lock to compare with.
    """
    chosen = environment or os.environ.get(VARIABLE, "")
    name, _, version = chosen.partition("@")
    if not version:
        raise ClientError(f"{VARIABLE} is not set: this server is in no environment. Name one as name@version.")
    locked = _locked(environments(session=session), name, version)
    here = dict(map(_pinned, packages() if installed is None else installed))
    differs = {
        package: (locked.get(package), here.get(package))
        for package in sorted(locked.keys() | here.keys())
        if locked.get(package) != here.get(package)
    }
    return Drift(chosen, differs)


def _locked(found: list[dict[str, Any]], name: str, version: str) -> Mapping[str, str]:
    for each in found:
        for known in each["versions"] if each["environment"] == name else ():
            if known["version"] == version:
                if known["packages"] is None:
                    raise ClientError(f"The site has no lock of {name}@{version}, so what differs is not known.")
                return dict(known["packages"])
    raise ClientError(f"Your team has no environment {name}@{version} any more.")


def _pinned(line: str) -> tuple[str, str]:
    """Names in the form of PEP 503, as the service tells them."""
    name, _, version = line.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower(), version
