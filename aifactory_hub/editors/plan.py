"""What a server is to run, read from what the hub has put into its environment; and the command lines for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..domain.environments import Kind

# Where the hub sends browsers, and where the program that answers them listens.
PROXY = "jupyter_server_proxy.standalone"
# Seconds until the program has to answer its first request.
_READY = 60


class BadPlan(Exception):
    """The environment variables of this server can't be read: which, and what was expected."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``hooks`` run first, ``command`` is of the kind COMMAND, ``reports``: whether it is used is told."""

    kind: Kind
    hooks: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    reports: bool = True


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are, and the folder of this server's own short-lived files."""

    code_server: Sequence[str]
    folder: Path
    python: str = sys.executable


def read_plan(variables: Mapping[str, str]) -> Plan:
    """The plan in these environment variables. Raises BadPlan."""
    kind = variables.get("AIFACTORY_SERVER_KIND", Kind.LAB.value)
    if kind not in tuple(Kind):
        raise BadPlan(f"AIFACTORY_SERVER_KIND is {kind!r}; one of {', '.join(Kind)} was expected")
    return Plan(
        Kind(kind),
        _texts("AIFACTORY_START_HOOKS", variables),
        _texts("AIFACTORY_SERVER_COMMAND", variables),
        variables.get("AIFACTORY_REPORTS_ACTIVITY", "yes") == "yes",
    )


def _texts(name: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    try:
        found = json.loads(variables.get(name) or "[]")
    except ValueError as error:
        raise BadPlan(f"{name} is no JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadPlan(f"{name} has to be a list of texts")
    return tuple(found)


def command_line(plan: Plan, programs: Programs, arguments: Sequence[str] = ()) -> list[str]:
    """What is run. Programs that know no hub stand behind a proxy that asks for the hub's sign-in.

    The proxy's own reports of activity are off: of a named server it reports one that nobody uses as used, and of a
    default server it reports nothing.
    """
    if plan.kind is Kind.LAB:
        return [programs.python, "-m", "jupyterhub.singleuser", *arguments]
    proxy = [programs.python, "-m", "aifactory_hub.editors.proxy", f"--timeout={_READY}", "--activity-interval=0"]
    if plan.kind is Kind.CODE:
        return [*proxy, "--", *_code(programs)]
    if plan.kind is Kind.MARIMO:
        return [*proxy, "--absolute-url", "--", *_marimo(programs)]
    absolute = ["--absolute-url"] if any("{base_url}" in word for word in plan.command) else []
    return [*proxy, *absolute, "--", *plan.command]


def _code(programs: Programs) -> list[str]:
    """VS Code listens on this machine's loopback only, where its own question for a password would protect nothing.

    Its check of where a browser comes from knows the loopback's name only, so that every connection would be refused.
    In Restricted Mode, which it enters in each new folder, no language support would start.
    """
    return [
        *programs.code_server,
        "--auth=none",
        "--bind-addr=127.0.0.1:{port}",
        "--trusted-origins=*",
        "--disable-telemetry",
        "--disable-update-check",
        "--disable-workspace-trust",
        "--disable-getting-started-override",
        ".",
    ]


def _marimo(programs: Programs) -> list[str]:
    own = [programs.python, "-m", "aifactory_hub.editors.marimo_server"]
    address = ["--host=127.0.0.1", "--port={port}", "--base-url={base_url}"]
    return [*own, "edit", "--headless", "--no-token", "--skip-update-check", *address]
