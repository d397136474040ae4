"""``tenants status`` and ``tenants purge``, and what doctor says of teams that are being made."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from aifactory_hub.domain.doctor import Verdict
from aifactory_hub.domain.provisioning import Stage
from aifactory_hub.domain.team_records import MOST_ENTRIES, Entry, TeamRecord, finding_of, record_of
from aifactory_hub.provisioner.records import record_manifest

from ..support.kube_server import KubeServer, kube_server
from .on_a_server import kubeconfig, run

TEXT = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
NAMESPACE = "/api/v1/namespaces/vc-vision"
READY = TeamRecord(Stage.READY, 1000.0, "it can start", version="vcluster:0.33.1", healed=2, journal=(Entry(5.0, "x"),))


@dataclass
class Site:
    server: KubeServer
    folder: Path

    def record(self, team: str, record: TeamRecord) -> None:
        self.server.put("/api/v1/namespaces/aifactory-system/configmaps", record_manifest("e2e", team, record))

    def ends(self, day: str = "2026-01-01", keep: str = "1d") -> None:
        more = f"    retire: {{on: {day}, keep: {keep}}}\n"
        (self.folder / "tenants.yaml").write_text(TEXT.rstrip("\n") + "\n" + more)

    async def tenants(self, *words: str) -> Result:
        file = str(self.folder / "tenants.yaml")
        where = ("--kubeconfig", kubeconfig(self.folder, self.server))
        return await run("tenants", words[0], file, *words[1:], *where)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with kube_server() as server:
        (tmp_path / "tenants.yaml").write_text(TEXT)
        yield Site(server, tmp_path)


async def test_status_has_a_line_for_each_team_with_what_is_wrong(site: Site) -> None:
    site.record("nlp", READY)
    late = replace(READY, stage=Stage.API, trouble="it takes longer than 180 s", todo="look at its pod")
    site.record("vision", late)
    site.record("audio", READY)
    lines = (await site.tenants("status")).output.splitlines()
    assert lines[0].startswith("nlp: ready for ") and "vCluster vcluster:0.33.1" in lines[0]
    assert "2 changes of others were put right" in lines[0]
    assert "TROUBLE: it takes longer than 180 s; to do: look at its pod" in lines[1]
    assert lines[2].startswith("audio: in no file any more, and left as it is")


async def test_status_of_a_site_without_a_provisioner_says_so(site: Site) -> None:
    assert "nlp: the provisioner has written nothing of it" in (await site.tenants("status")).output


async def test_the_journal_of_a_team(site: Site) -> None:
    site.record("nlp", READY)
    assert (await site.tenants("status", "--journal", "nlp")).output == "1970-01-01 00:00:05 UTC  x\n"
    assert "has no tenant 'x'" in (await site.tenants("status", "--journal", "x")).output


async def test_a_host_that_is_away_is_said(site: Site) -> None:
    site.server.faults.status = 503
    done = await site.tenants("status")
    assert done.exit_code == 2 and "the host cluster:" in done.output


async def test_a_purge_is_done_by_the_second_person(site: Site) -> None:
    site.ends()
    site.record("vision", replace(READY, stage=Stage.RETIRED))
    uid = site.server.put("/api/v1/namespaces", {"metadata": {"name": "vc-vision"}})["metadata"]["uid"]
    site.server.user = "ada"
    first = await site.tenants("purge", "vision", "--uid", uid)
    assert first.exit_code == 0 and "Another person has to run the same command" in first.output
    again = await site.tenants("purge", "vision", "--uid", uid)
    assert again.exit_code == 1 and "two people" in again.output
    assert NAMESPACE in site.server._objects
    site.server.user = "eve"
    done = await site.tenants("purge", "vision", "--uid", uid)
    assert done.exit_code == 0 and "ada asked, eve agreed" in done.output
    assert NAMESPACE not in site.server._objects


@pytest.mark.parametrize(
    ("day", "keep", "stage", "uid", "said"),
    [
        ("2999-01-01", "1d", Stage.READY, "", "has not ended"),
        ("2026-01-01", "9000d", Stage.RETIRED, "", "it is kept until"),
        ("2026-01-01", "1d", Stage.DRAINING, "", "wait until it is drained"),
        ("2026-01-01", "1d", Stage.RETIRED, "another", "uid is not 'another'"),
    ],
)
async def test_a_purge_is_refused_before_anybody_has_asked(
    site: Site, day: str, keep: str, stage: Stage, uid: str, said: str
) -> None:
    site.ends(day, keep)
    site.record("vision", replace(READY, stage=stage))
    there = site.server.put("/api/v1/namespaces", {"metadata": {"name": "vc-vision"}})["metadata"]["uid"]
    done = await site.tenants("purge", "vision", "--uid", uid or there)
    assert done.exit_code == 1 and said in done.output and "Nothing was done" in done.output
    assert "annotations" not in site.server._objects[NAMESPACE]["metadata"]


async def test_a_team_that_the_provisioner_does_not_know_is_not_purged(site: Site) -> None:
    site.ends()
    uid = site.server.put("/api/v1/namespaces", {"metadata": {"name": "vc-vision"}})["metadata"]["uid"]
    done = await site.tenants("purge", "vision", "--uid", uid)
    assert done.exit_code == 1 and "not known to the provisioner" in done.output


@pytest.mark.parametrize(
    ("record", "verdict", "said"),
    [
        (READY, Verdict.GOOD, "ready for"),
        (replace(READY, stage=Stage.ASLEEP), Verdict.GOOD, "asleep for"),
        (replace(READY, stage=Stage.API), Verdict.WARNING, "api for"),
        (replace(READY, stage=Stage.PAUSED, todo="scale it"), Verdict.WARNING, "paused for"),
        (replace(READY, trouble="it is foreign", todo="name another"), Verdict.BAD, "it is foreign"),
        (None, Verdict.UNKNOWN, "has written nothing of it"),
    ],
)
def test_what_doctor_says(record: TeamRecord | None, verdict: Verdict, said: str) -> None:
    finding = finding_of("nlp", record, time.time())
    assert finding.verdict is verdict and said in finding.seen


def test_a_record_is_read_as_it_was_written_and_has_an_end() -> None:
    record = READY
    for number in range(MOST_ENTRIES + 20):
        record = record.noted(float(number), "y" * 1000)
    manifest = record_manifest("e2e", "nlp", record)
    assert record_of(manifest) == record and len(record.journal) == MOST_ENTRIES
    assert len(json.dumps(manifest)) < 60_000, "far from what a ConfigMap may have"


@pytest.mark.parametrize(
    "data", [None, {}, {"state": "["}, {"state": "{}"}, {"state": '{"stage": "x"}'}, {"state": "3"}, {"state": "null"}]
)
def test_what_is_no_record_is_none(data: Any) -> None:
    assert record_of({"data": data}) is None
    good = json.dumps({key: value for key, value in asdict(READY).items() if key != "journal"})
    assert record_of({"data": {"state": good, "journal": "["}}) is None
