"""Tells the job service every minute whether this server is used."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from ..client.session import Account, read_account
from ..domain.environments import Kind
from .activity import Activity, Running, body_of, code_activity, commands_in_terminals, marimo_activity

log = logging.getLogger(__name__)

EVERY = 60.0
# Environment variable with the file that an editor's own part writes its notes into.
NOTE_VARIABLE = "AIFACTORY_ACTIVITY_NOTE"
PATH = "/api/v1/servers/activity"
_TIMEOUT = 10.0
# Bytes; a note has a few hundred.
_LARGEST_NOTE = 64 * 1024


class Reporter:
    """Reports of one server. ``root`` is the process that everything of it is below."""

    def __init__(
        self,
        kind: Kind,
        note: Path,
        root: int,
        *,
        account: Account | None = None,
        clock: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
        processes: Callable[[], list[Running]] | None = None,
    ) -> None:
        self._kind, self._note, self._root, self._clock = kind, note, root, clock
        self._account = read_account() if account is None else account
        self._processes = running if processes is None else processes
        self._last = clock()
        # No proxy from the environment: the token goes to the service and to nobody else.
        self._client = httpx.Client(
            headers={"Authorization": f"token {self._account.token}"},
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
        )

    def look(self) -> Activity | None:
        """What is so now; None where that is not known."""
        now, note = self._clock(), read_note(self._note)
        if self._kind is Kind.CODE:
            found: Activity | None = code_activity(
                note, commands_in_terminals(self._root, self._processes()), now, self._last
            )
        else:
            found = marimo_activity(note, now, self._last)
        if found is not None:
            self._last = max(self._last, found.last_used)
        return found

    def report(self) -> bool:
        """Look and send. What is not known is not sent, and a service that does not answer is asked the next time."""
        activity = self.look()
        if activity is None:
            return False
        body = body_of(activity, self._account.server or "", self._kind)
        try:
            answer = self._client.post(f"{self._account.url}{PATH}", json=body)
        except httpx.RequestError as error:
            log.warning("activity was not told: %s", error)
            return False
        if answer.is_error:
            log.warning("activity was not taken: %s", answer.status_code)
        return answer.is_success

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def read_note(file: Path) -> Mapping[str, Any]:
    """What an editor's own part last wrote; empty where there is nothing that can be read."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_LARGEST_NOTE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def running(proc: Path = Path("/proc")) -> list[Running]:
    """The processes of this machine, as far as they can be seen."""
    found = []
    for folder in proc.iterdir() if proc.is_dir() else ():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(errors="replace")
            except OSError:
                continue  # it has ended meanwhile
            # The name stands in brackets and may have brackets itself.
            head, _, rest = text.rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                found.append(Running(int(folder.name), int(parent), head.partition("(")[2]))
    return found
