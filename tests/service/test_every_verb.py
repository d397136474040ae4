"""No verb goes round the site's rules: each route that changes something asks them, or is here with why it need not."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.verdicts import Target
from aifactory_hub.service.api.app import describe

from ..policy.rules import rule
from ..support.fake_hub import FakeHub
from ..support.job_service import PREFIX, RunningService, running_service
from ..support.rules import change_rules, site_rules

ROOT = Path(__file__).parents[2]
JOB = {"command": "true", "profile": "mig-1g.10gb"}
PIPELINE = "{apiVersion: aifactory-hub.io/pipeline/v1, steps: {a: {profile: mig-1g.10gb, command: 'true'}}}"
# What asks the rules, and how it is asked for: path and body, given ids of what is there.
GATED: Mapping[str, Callable[[Mapping[str, str]], tuple[str, Any]]] = {
    "submitJob": lambda ids: ("/jobs", {**JOB, "key": "new"}),
    "retryJob": lambda ids: (f"/jobs/{ids['ended']}/retry", {"key": "again"}),
    "resumeJob": lambda ids: (f"/jobs/{ids['held']}/resume", None),
    "makeSchedule": lambda ids: ("/schedules", {"key": "new", "cron": "0 5 * * *", "job": JOB}),
    "startPipelineRun": lambda ids: ("/tenants/nlp/pipeline-runs", {"key": "new", "pipeline": PIPELINE}),
    "runSchedule": lambda ids: (f"/schedules/{ids['schedule']}/runs", {"key": "now"}),
}
# What does not, and why not.
FREE = {
    "dryRunJob": "asks them and changes nothing",
    "cancelJob": "ends something",
    "suspendJob": "stops something",
    "dropArtifacts": "removes something",
    "removeSchedule": "removes something",
    "changeSchedule": "each job of the schedule is judged when it is due",
    "findMissingFiles": "asks only",
    "uploadPack": "files alone run nothing; the job that names them is judged",
    "uploadManifest": "files alone run nothing; the job that names them is judged",
    **dict.fromkeys(
        ("registerModel", "promoteModel", "rollBackModel"),
        "ask the rules of models: test_models.py, test_rules_and_approvals_are_asked_about_this_digest",
    ),
    **dict.fromkeys(
        ("deployModel", "rollBackDeployment"),
        "ask the rules of deployments: test_deployments.py, test_the_site_s_rules_are_asked",
    ),
    "stopDeployment": "ends something",
    "askDeployment": "changes nothing",
    **dict.fromkeys(
        ("queryTeamByForm", "queryTeamRangeByForm", "listTeamSeriesByForm", "listTeamLabelsByForm"), "asks only"
    ),
    "reportReleaseProblem": "the release's own report",
    "verifyModelVersion": "looks, and takes a version out of use whose bytes are wrong",
    "releaseModelVersion": "for administrators, and only what was registered; promoting it is judged",
    "signModelVersion": "for administrators, and only what was registered; promoting it is judged",
    "freezeAlias": "stops something",
    "thawAlias": "lets promotions be asked again",
    "removeAlias": "removes something",
    "revokeModelKey": "stops something",
    "makeDataset": "a name alone runs nothing; the job that names it is judged",
    "makeDatasetVersion": "a name alone runs nothing; the job that names it is judged",
    "rotateModelKey": "changes no model",
    "checkPipeline": "asks them and changes nothing",
    "retryPipelineRun": "asks as a start does: Starter.again; each step's job is judged besides",
    "cancelPipelineRun": "ends something",
    "makeTrigger": "each run that it starts is judged",
    "changeTrigger": "each run that it starts is judged",
    "testTrigger": "asks them and changes nothing",
    "rotateTrigger": "changes a secret",
    "askForTeam": "templates say what is granted and who approves the rest; what runs in the team is judged",
    "checkTeamRequest": "asks only",
    "withdrawTeamRequest": "takes something back",
    "reportTeams": "the provisioner's own report",
    "putSecret": "a value alone runs nothing; the job that lists it is judged",
    "removeSecret": "removes something",
    "removeTrigger": "removes something",
    "chooseNotifications": "a choice of one's own alone: it starts nothing",
    "voteOnApproval": "lets go on what a rule held, and the rules are asked again before it does",
    "overrideRule": "is what a rule itself lets somebody do",
    "grantBudget": "budgets are no rules: each job that it lets go on was judged",
    "closeMonth": "bookkeeping",
    "correctHold": "bookkeeping",
    "verifyUsage": "asks only",
    "reportActivity": "the server's own report",
    "keepServer": "lets run on what runs",
    "putLog": "the job's own report",
    "putLogPiece": "the job's own report",
    "putArtifact": "the job's own report",
    "dropArtifact": "the job's own report",
    "reportProgress": "the job's own report",
    "reportEnd": "the job's own report",
}
CASES = [
    {"expect": "fail", "view": {"user": {"name": "somebody"}}},
    {"expect": "pass", "view": {"user": {"name": "nobody"}}},
]


def nobody() -> dict[str, Any]:
    """A rule that lets nobody do anything with jobs."""
    return rule(id="nobody", assert_="user.name == 'nobody'", message="'no'", cases=CASES)


def changing() -> set[str]:
    verbs = ("post", "put", "patch", "delete")
    return {item[verb]["operationId"] for item in describe(PREFIX)["paths"].values() for verb in verbs if verb in item}


def test_each_route_that_changes_something_is_in_one_table() -> None:
    assert not set(GATED) & set(FREE)
    assert changing() == set(GATED) | set(FREE)


@pytest.fixture
async def service(tmp_path: Path, hub: FakeHub) -> AsyncIterator[RunningService]:
    gates = site_rules(tmp_path / "rules", nobody() | {"severity": "advisory"}, clock=lambda: 1_800_000_000.0)
    async with running_service(tmp_path / "disk", hub=hub, reconciling=False, gates=gates) as running:
        yield running


@pytest.mark.parametrize("operation", GATED)
async def test_a_gated_route_asks(service: RunningService, tmp_path: Path, operation: str) -> None:
    async with service.http("ada") as http:
        ended = (await http.post("/jobs", json={**JOB, "key": "a"})).json()["id"]
        held = (await http.post("/jobs", json={**JOB, "key": "b"})).json()["id"]
        made = await http.post("/schedules", json={"key": "s", "cron": "0 5 * * *", "job": JOB})
        await http.delete(f"/jobs/{ended}")
        await http.post(f"/jobs/{held}/suspend")
        await service.reconciler.settle()
        ids = {"ended": ended, "held": held, "schedule": made.json()["id"]}
        change_rules(service.context.gates, tmp_path / "rules", nobody())
        path, body = GATED[operation](ids)
        before = len((await http.get("/jobs")).json()["jobs"])
        answer = await http.post(path, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (403, "policy"), answer.text
        assert answer.json()["findings"][0]["rule"] == "nobody"
        assert len((await http.get("/jobs")).json()["jobs"]) == before
    [kept, *_] = service.context.verdicts.newest("nlp", limit=1)
    assert (kept.outcome, kept.question.target) == ("refused", Target.JOB)


def calls(folder: str, attribute: str) -> set[str]:
    """The functions of a folder that call a method of this name, as ``file:function``."""
    found = set()
    for file in sorted((ROOT / folder).rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                names = {
                    node.func.attr
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                }
                if attribute in names:
                    found.add(f"{file.relative_to(ROOT)}:{function.name}")
    return found


def test_each_start_of_a_server_is_judged_before_its_ticket() -> None:
    """Whatever waits for a server's ticket admits the plan first, and that asks the rules."""
    asks = {each for folder in ("spawner", "aifactory_hub/demo") for each in calls(folder, "granted")}
    admits = {each for folder in ("spawner", "aifactory_hub/demo") for each in calls(folder, "admit")}
    assert asks == {
        "spawner/aifactory_spawner/spawner.py:_start_bound",  # called by _start_plan alone
        "aifactory_hub/demo/spawner.py:start",
    }
    assert {"spawner/aifactory_spawner/spawner.py:_start_plan", "aifactory_hub/demo/spawner.py:start"} <= admits
    assert calls("spawner", "_start_bound") == {"spawner/aifactory_spawner/spawner.py:_start_plan"}
    assert calls("spawner", "_ask_rules") == {"spawner/aifactory_spawner/team_choice.py:admit"}


def test_what_stores_a_job_stores_what_the_rules_said() -> None:
    """Only submissions store jobs, and the parameter of the verdict is theirs to fill."""
    source = (ROOT / "aifactory_hub/service/submissions.py").read_text()
    assert source.count("self._jobs.take(") + source.count("self._jobs.add(") == source.count("judged.row_to_keep") == 3
    others = {each for each in calls("aifactory_hub/service", "take") if "submissions" in each}
    assert others == {"aifactory_hub/service/submissions.py:submit"}
