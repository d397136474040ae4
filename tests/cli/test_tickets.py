"""``aifactory-hub tickets``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aifactory_hub import constants
from aifactory_hub.registry import load_registry

from ..registry.files import GOOD
from ..support.kube_server import KubeServer, kube_server
from .on_a_server import file_ticket, kubeconfig, run

JOBS = "/apis/batch/v1/namespaces/vc-nlp/jobs"


@pytest.fixture
async def server() -> AsyncIterator[KubeServer]:
    async with kube_server() as made:
        yield made


@pytest.fixture
async def site(tmp_path: Path, server: KubeServer) -> tuple[str, str]:
    file = tmp_path / "tenants.yaml"
    file.write_text(GOOD, encoding="utf-8")
    registry = load_registry(file)
    await file_ticket(server, registry, "nb-ada-1")
    await file_ticket(server, registry, "nb-bob-1", user="bob", database="db-0")
    await file_ticket(server, registry, "job-1", kind=constants.KIND_JOB, database="")
    return str(file), kubeconfig(tmp_path, server)


def released(server: KubeServer) -> list[str]:
    """Tickets whose release was asked for, for this very ticket."""
    metadata = [job["metadata"] for job in server.objects(JOBS)]
    return [m["name"] for m in metadata if m["annotations"].get(constants.ANNOTATION_RELEASE) == m["uid"]]


async def test_tickets_are_listed_with_the_database_that_filed_them(site: tuple[str, str]) -> None:
    file, config = site
    result = await run("tickets", "list", file, "--kubeconfig", config)
    assert result.exit_code == 0
    assert "nlp/nb-bob-1: server of bob, cpu-small, queued" in result.output and "database db-0" in result.output
    assert "1 of jobs, filed with database (no id)" in result.output.splitlines()


@pytest.mark.parametrize(
    ("chosen", "gone"),
    [
        (("nlp/nb-ada-1",), ["nb-ada-1"]),
        (("--database", "db-0"), ["nb-bob-1"]),
        (("--database", "none"), ["job-1"]),
    ],
)
async def test_a_release_is_asked_for_after_a_person_said_yes(
    site: tuple[str, str], server: KubeServer, chosen: tuple[str, ...], gone: list[str]
) -> None:
    file, config = site
    no = await run("tickets", "release", file, *chosen, "--kubeconfig", config, answer="n\n")
    assert no.exit_code == 1 and released(server) == []
    assert "End what runs on these 1 tickets of 1 people?" in no.output
    yes = await run("tickets", "release", file, *chosen, "--kubeconfig", config, answer="y\n")
    assert yes.exit_code == 0 and released(server) == gone


@pytest.mark.parametrize("chosen", [(), ("nlp/nb-ada-1", "--database", "db-1"), ("nlp/none",), ("--database", "x")])
async def test_what_is_not_there_or_not_said_releases_nothing(
    site: tuple[str, str], server: KubeServer, chosen: tuple[str, ...]
) -> None:
    file, config = site
    result = await run("tickets", "release", file, *chosen, "--kubeconfig", config, "--yes")
    assert result.exit_code == 2 and released(server) == []


async def test_a_host_that_does_not_answer_is_said(site: tuple[str, str], server: KubeServer) -> None:
    file, config = site
    server.faults.status = 503
    result = await run("tickets", "list", file, "--kubeconfig", config)
    assert result.exit_code == 2 and "the host cluster" in result.output
