"""The provisioner speaks to the job service over real HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from aifactory_hub.domain.provisioning import Stage
from aifactory_hub.domain.team_records import TeamRecord
from aifactory_hub.provisioner.granted_teams import JobServiceTeams, report_of
from aifactory_hub.provisioner.objects import team_objects
from aifactory_hub.registry.changes import ANNOTATION_GRANTED, LABEL_REGISTRY
from aifactory_hub.registry.granted import GrantedTeams

from ..support.fake_hub import FakeHub
from ..support.job_service import RunningService, make_registry, running_service

RECORD = TeamRecord(Stage.API, 1.0, "it starts", trouble="a line\nand \x1banother", opened=2.0).noted(1.0, "x")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    hub = FakeHub()
    hub.start()
    async with running_service(tmp_path, hub=hub, reconciling=False) as running:
        object.__setattr__(running.context, "provisioner_token_hash", hashlib.sha256(b"shared").hexdigest())
        yield running
    await hub.stop()


async def test_it_tells_of_teams_and_hears_which_were_granted(service: RunningService) -> None:
    teams = JobServiceTeams(service.url, "shared", lambda: {"nlp": RECORD})
    try:
        assert await teams.fetch() == GrantedTeams({}, ())
    finally:
        await teams.close()
    told = service.context.team_desk.states["nlp"]
    assert told == replace(RECORD, trouble="a line and  another", journal=())


async def test_another_token_is_refused(service: RunningService) -> None:
    teams = JobServiceTeams(service.url, "other", dict)
    with pytest.raises(aiohttp.ClientResponseError, match="403"):
        await teams.fetch()
    await teams.close()
    assert service.context.team_desk.heard_at is None


def test_the_journal_stays_on_the_host() -> None:
    assert "journal" not in report_of(RECORD)


@pytest.mark.parametrize("granted", [True, False])
def test_what_tenants_apply_knows_too_says_that_the_team_was_asked_for(granted: bool) -> None:
    known = make_registry()
    registry = replace(known, granted=("nlp",) if granted else ())
    objects = team_objects(registry, registry.tenants["nlp"], [], (), "sha256:1")
    ours = [
        each["metadata"]["annotations"].get(ANNOTATION_GRANTED)
        for some in objects.by_stage.values()
        for each in some
        if LABEL_REGISTRY in each["metadata"]["labels"]
    ]
    assert ours and set(ours) == {"true" if granted else None}
