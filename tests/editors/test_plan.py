"""What a server is to run, as its environment says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.domain.environments import Kind
from aifactory_hub.editors.plan import BadPlan, Plan, Programs, command_line, read_plan

PROGRAMS = Programs(["node", "code.js"], Path("/run/x"), "py")
PROXY = ["py", "-m", "aifactory_hub.editors.proxy", "--timeout=60", "--activity-interval=0"]


def test_a_server_without_a_word_is_jupyterlab() -> None:
    assert read_plan({}) == Plan(Kind.LAB)
    assert command_line(Plan(Kind.LAB), PROGRAMS, ["--debug"]) == ["py", "-m", "jupyterhub.singleuser", "--debug"]


def test_everything_is_read() -> None:
    variables = {
        "AIFACTORY_SERVER_KIND": "command",
        "AIFACTORY_START_HOOKS": '["date"]',
        "AIFACTORY_SERVER_COMMAND": '["app", "{port}"]',
        "AIFACTORY_REPORTS_ACTIVITY": "no",
    }
    assert read_plan(variables) == Plan(Kind.COMMAND, ("date",), ("app", "{port}"), reports=False)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AIFACTORY_SERVER_KIND": "vim"}, "AIFACTORY_SERVER_KIND is 'vim'; one of lab, code, marimo, command"),
        ({"AIFACTORY_START_HOOKS": "{"}, "AIFACTORY_START_HOOKS is no JSON"),
        ({"AIFACTORY_START_HOOKS": '"date"'}, "AIFACTORY_START_HOOKS has to be a list of texts"),
        ({"AIFACTORY_SERVER_COMMAND": "[1]"}, "AIFACTORY_SERVER_COMMAND has to be a list of texts"),
    ],
)
def test_what_can_not_be_read_is_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(BadPlan, match=said):
        read_plan(variables)


def test_vs_code_listens_on_the_loopback_alone_behind_the_proxy_and_tells_nobody_anything() -> None:
    command = command_line(Plan(Kind.CODE), PROGRAMS)
    assert command[:8] == [*PROXY, "--", "node", "code.js"]
    assert {"--bind-addr=127.0.0.1:{port}", "--disable-telemetry", "--disable-update-check"} <= set(command)


def test_marimo_answers_below_the_hubs_address() -> None:
    command = command_line(Plan(Kind.MARIMO), PROGRAMS)
    assert command[:6] == [*PROXY, "--absolute-url"]
    assert {"--base-url={base_url}", "--host=127.0.0.1", "--no-token", "edit"} <= set(command)


def test_a_command_gets_whole_addresses_only_if_it_asks_for_where_it_is() -> None:
    assert command_line(Plan(Kind.COMMAND, command=("app", "{port}")), PROGRAMS) == [*PROXY, "--", "app", "{port}"]
    at = ("app", "{port}", "{base_url}")
    assert command_line(Plan(Kind.COMMAND, command=at), PROGRAMS) == [*PROXY, "--absolute-url", "--", *at]
