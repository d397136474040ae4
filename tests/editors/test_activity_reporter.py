"""Reports to the job service, against one that only listens."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from aifactory_hub.client.session import Account
from aifactory_hub.domain.environments import Kind
from aifactory_hub.editors.activity import commands_in_terminals
from aifactory_hub.editors.activity_reporter import Reporter, read_note, running

NOW = 1_800_000_000.0
ACCOUNT = Account("http://service/services/aifactory", "the-token", "nlp", "cpu-small", "ada", "")


class Service:
    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.heard: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        if self.status == 0:
            raise httpx.ConnectError("away")
        return httpx.Response(self.status)


def reporter(service: Service, note: Path, kind: Kind = Kind.CODE) -> Reporter:
    transport = httpx.MockTransport(service)
    return Reporter(kind, note, 1, account=ACCOUNT, clock=lambda: NOW, transport=transport, processes=list)


def test_a_report_goes_to_the_service_with_the_servers_token(tmp_path: Path) -> None:
    (tmp_path / "note").write_text(json.dumps({"at": NOW, "edited": NOW - 1}))
    service = Service()
    assert reporter(service, tmp_path / "note").report()
    (request,) = service.heard
    assert (request.method, request.url.path) == ("POST", "/services/aifactory/api/v1/servers/activity")
    assert request.headers["Authorization"] == "token the-token"
    assert json.loads(request.content) == {
        "server": "",
        "kind": "code",
        "busy": True,
        "last_used": "2027-01-15T08:00:00+00:00",
        "what": ["somebody edits"],
    }


def test_what_is_not_known_is_not_reported(tmp_path: Path) -> None:
    service = Service()
    assert not reporter(service, tmp_path / "none", Kind.MARIMO).report()
    assert service.heard == []


@pytest.mark.parametrize("status", [0, 404, 503])
def test_a_service_that_is_away_or_refuses_ends_nothing(tmp_path: Path, status: int) -> None:
    service = Service(status)
    sender = reporter(service, tmp_path / "none")
    assert not sender.report()
    assert not sender.report()
    assert len(service.heard) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "[" * 100_000])
def test_a_note_that_is_none_is_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "note").write_text(content)
    assert read_note(tmp_path / "note") == {}


def test_a_command_in_a_real_shell_is_seen() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "echo; sleep 60; echo"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        try:
            while not (found := commands_in_terminals(os.getpid(), running())):
                pass  # the shell is about to start it
            assert "sleep" in found
        finally:
            for each in running():
                if each.parent == shell.pid:
                    os.kill(each.pid, 9)
            shell.kill()
