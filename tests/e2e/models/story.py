"""What people do with a model: train, register, promote, deploy, ask, go back. Each step goes on from the last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aifactory_hub import constants

from ..gates.site import ADMIN, MEMBER, TEAM, until
from ..table import Step
from .site import ALIAS, COMMIT, DEPLOYMENT, MODEL, SLICE, ModelsSite, states

StepOf = Callable[[ModelsSite, Step], None]
_VISION = "vision-user"


def registered(site: ModelsSite, step: Step) -> None:
    version = site.version(commit=False)
    step.check(
        version["version"] == 1 and version["runs_code"] == ["model.pkl"], "a job's model is registered", version
    )
    refused = site.promote(version)
    said = refused.json()
    step.check(refused.status_code == 403 and said["reason"] == "policy", "a rule refuses to promote it", said)
    step.check("comes from no commit" in said["detail"], "in the rule's words", said)


def approved(site: ModelsSite, step: Step) -> None:
    version = site.version()
    step.check(version["version"] == 2, "one that was trained from a commit is the next version", version)
    held = site.promote(version)
    step.check(held.status_code == 202 and held.json()["held"], "a rule holds it until somebody approves it", held.text)
    aliases = site.api("GET", f"models/{MODEL}").json()["model"]["aliases"]
    step.check(aliases == [], "and nothing has moved", aliases)
    approval = site.gated.approval(f"{version['id']}@{ALIAS}")
    step.check(site.gated.vote(MEMBER, approval).status_code == 403, "who has trained it can't approve it")
    site.gated.vote(ADMIN, approval).raise_for_status()
    moved = site.promote(version)
    step.check(moved.status_code == 200, "an administrator of the team approves it in a browser, and it is prod", moved)
    step.check(site.alias()["version"] == 2, "the alias leads to it", site.alias())


def deployed(site: ModelsSite, step: Step) -> None:
    refused = site.deploy(example=None)
    step.check(
        refused.status_code == 403 and "has no example request" in refused.text, "a rule refuses it without an example"
    )
    made = site.deploy()
    step.check(made.status_code == 201, "with one it is deployed", made.text)
    told = site.until_serving(1)
    step.check(states(told) == [(1, "SERVING")], "it answers, once its files were checked and the example asked", told)
    [pod] = site.pods()
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    step.check(limits.get(f"nvidia.com/{SLICE}") == "1", "its pod has its slice, as Kueue has admitted it", limits)
    [ticket] = [each for each in site.rig.cluster.tickets(TEAM) if each.owner in site.tickets()]
    step.check(ticket.admitted and ticket.active, "and its ticket is held", ticket)
    [deployment] = site.objects("deployments")
    step.check(
        "token" not in str(deployment["spec"]["template"]["spec"]["containers"][0]["env"]), "its token is no variable"
    )


def asked(site: ModelsSite, step: Step) -> None:
    answer = site.ask()
    step.check(answer.status_code == 200, "the service asks it through the vCluster's API server", answer.text)
    step.check(answer.json()["outputs"][0]["data"] == [1, 0], "it says what it has learnt", answer.json())
    step.check(answer.headers["X-AIFactory-Release"] == "1", "and which release said so")
    log = site.ask_inside()
    step.check("answered [1, 0]" in log, f"a program in the vCluster asks http://model-{DEPLOYMENT}.jobs", log)
    stranger = site.gated.people[_VISION]
    stranger.sign_in()
    stranger.make_token()
    wrong = site.ask(who=_VISION)
    step.check(wrong.status_code in (403, 404), "a person of another team can't", (wrong.status_code, wrong.text))
    bad = site.api("POST", f"tenants/{TEAM}/deployments/{DEPLOYMENT}/infer", inputs=[{"name": "x"}])
    step.check(bad.status_code == 400, "what it can't read is refused with the field", bad.text)


def worse(site: ModelsSite, step: Step) -> None:
    version = site.version(columns=3)
    site.promoted(version)
    told = site.until("the worse version has failed", lambda told: (2, "FAILED") in states(told))
    step.check(states(told)[1] == (1, "SERVING"), "a version that can't answer the example never serves", states(told))
    reason = told["releases"][0]["reason"]
    step.check("example request was answered 500" in reason, f"it is said why: {reason[:160]}", reason)
    step.check(site.ask().json()["outputs"][0]["data"] == [1, 0], "the one before goes on answering")
    frozen = site.alias()["frozen"]
    step.check(frozen and frozen["by"] == "the service", "the alias is frozen", site.alias())
    until(lambda: site.told_of("release.failed"), "the message has arrived", 30)
    message = site.told_of("release.failed")[-1]
    step.check(message["release"]["serves"] == 1, "who trained it is told which release goes on", message)
    again = site.promote(version)
    step.check(again.json().get("reason") == "alias-frozen", "nothing promotes past it", again.text)
    until(lambda: len(site.tickets()) == 1, "its devices are given back", 90)
    step.check(len(site.pods()) == 1, "its pod is gone, and its devices are given back", site.pods())


def rolled_back(site: ModelsSite, step: Step) -> None:
    site.api("POST", f"models/{MODEL}/aliases/{ALIAS}/thaw", reason="the next one is good").raise_for_status()
    version = site.version(first=0)
    site.promoted(version)
    told = site.until_serving(3)
    step.check(site.ask().json()["outputs"][0]["data"] == [0, 1], "a thawed alias brings the next version", told)
    step.check((1, "STANDBY") in states(told), "the one before stands by", states(told))
    path = f"tenants/{TEAM}/deployments/{DEPLOYMENT}/rollback"
    without = site.api("POST", path, release=1)
    step.check(without.status_code == 400 and without.json()["field"] == "reason", "a rollback wants a reason")
    back = site.api("POST", path, reason="it misses refunds")
    step.check(back.status_code == 200, "one request goes back", back.text)
    step.check(site.ask().json()["outputs"][0]["data"] == [1, 0], "the release before answers at once")
    alias = site.alias()
    step.check((alias["version"], alias["frozen"]["reason"]) == (2, "it misses refunds"), "with the alias", alias)
    site.until_serving(1)
    log = site.ask_inside()
    step.check("answered [1, 0]" in log, "the name in the vCluster leads there, too", log)
    until(lambda: len(site.tickets()) == 1, "the devices of the other one are given back", 90)
    step.check(len(site.pods()) == 1, "the release that was left is gone, and its devices are given back", site.pods())


def metered(site: ModelsSite, step: Step) -> None:
    """All of what served so far, by what the ledger has of it."""
    path = f"tenants/{TEAM}/usage/holds?limit=200"

    def holds() -> list[Any]:
        found = site.api("GET", path, who=ADMIN).json()["holds"]
        return [each for each in found if each["kind"] == constants.KIND_DEPLOYMENT]

    until(lambda: len({each["owner"] for each in holds()}) >= 3, "three releases are in the ledger", 60)
    found = holds()
    step.check(all(each["user"] == MEMBER for each in found), "each second belongs to who deployed it", found)
    step.check(all(each["profile"] == SLICE for each in found), "at the profile of the plan", found)
    ended = [each for each in found if each["end"] is not None]
    step.check(ended and all(each["seconds"] > 0 for each in ended), "those that have ended have their seconds", ended)
    goes_on = {each["owner"] for each in found if each["end"] is None}
    step.check(goes_on == set(site.tickets()), "the one that serves is counted still", (goes_on, site.tickets()))
    held = site.api("GET", f"tenants/{TEAM}/deployments/{DEPLOYMENT}/usage").json()["held"]
    numbers = {each["release"] for each in held}
    step.check({1, 2, 3} <= numbers, "the deployment's own usage says which release has held what", held)
    step.check(all(each["amount"] is not None for each in held), "with what it cost", held)
    rows = site.api("GET", f"tenants/{TEAM}/usage?by=kind", who=ADMIN).json()["rows"]
    [row] = [row for row in rows if row["key"] == constants.KIND_DEPLOYMENT]
    step.check(float(row["amount"]) >= 0 and row["seconds"] > 0, f"{row['seconds']} s are on the team's bill", rows)


def traced(site: ModelsSite, step: Step) -> None:
    answer = site.api("GET", f"lineage?of=model:{MODEL}@{ALIAS}").json()
    labels = {node["id"]: f"{node['kind']} {node['label']}" for node in answer["nodes"]}
    edges = {(labels[each["before"]], each["how"], labels[each["after"]]) for each in answer["edges"]}
    follows = (f"alias {MODEL}@{ALIAS}", "is followed by", f"deployment {DEPLOYMENT}")
    step.check(follows in edges, "the alias leads on to the deployment", edges)
    step.check(any(f"commit {COMMIT[:12]}" in edge for edge in edges), "and back to the commit", edges)
    up = site.api("GET", f"lineage?of=deployment:{DEPLOYMENT}&direction=up").json()
    served = [each["how"] for each in up["edges"] if each["after"].startswith("deployment:")]
    step.check("is served by" in served and "was served by" in served, "a deployment says what it has served", served)


STORY: tuple[tuple[str, StepOf], ...] = (
    ("a model is trained and registered, and a rule refuses to promote it", registered),
    ("the next version is promoted by two people", approved),
    ("it is deployed", deployed),
    ("it is asked", asked),
    ("a worse version comes", worse),
    ("a version is taken back by hand", rolled_back),
    ("what served is in the ledger", metered),
    ("its lineage is told", traced),
)
