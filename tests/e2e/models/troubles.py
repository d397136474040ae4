"""What goes wrong with a deployment: hands in the vCluster, wrong bytes, kills. Each begins with one that serves."""

from __future__ import annotations

import json
import time
from functools import partial

from aifactory_hub import constants

from ..gates.site import TEAM, until
from ..table import Step
from .site import DEPLOYMENT, MODEL, Json, ModelsSite, states
from .story import StepOf

_OTHER = "other"


def by_hand(site: ModelsSite, step: Step) -> None:
    number = site.now()["deployment"]["serving"]["number"]
    [deployment] = site.objects("deployments")
    name = deployment["metadata"]["name"]
    site.inside("scale", "deployment", name, "--replicas=3")
    _put_back(site, step, "replicas", lambda found: found["spec"]["replicas"] == 1)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "job", "image": "registry.invalid/none:1"}]}}}}
    site.inside("patch", "deployment", name, "-p", json.dumps(image))
    _put_back(site, step, "the image", lambda found: "registry.invalid" not in str(found["spec"]))
    more = {"name": "mine", "image": "registry.invalid/none:1"}
    site.inside("patch", "deployment", name, "-p", json.dumps({"spec": {"template": {"spec": {"containers": [more]}}}}))
    _put_back(site, step, "the containers", lambda found: len(found["spec"]["template"]["spec"]["containers"]) == 1)
    site.inside("delete", "deployment", name, "--wait=true")
    until(lambda: site.objects("deployments"), "the Deployment is made again", 60)
    step.check(True, "a Deployment that was deleted is made again")
    site.until_serving(number)
    service = f"model-{DEPLOYMENT}"
    elsewhere = {"spec": {"selector": {constants.LABEL_RELEASE: None, "app": "mine"}}}
    site.inside("patch", "service", service, "-p", json.dumps(elsewhere))
    until(lambda: "mine" not in site.inside("get", "service", service, "-o", "json"), "the name leads back", 60)
    step.check(True, "a name that was led elsewhere leads back")
    site.inside("delete", "service", service)
    until(lambda: service in site.inside("get", "services", "-o", "name"), "the Service is made again", 60)
    step.check(True, "a name that was deleted is made again")
    said = site.gated.hub.log_tail("service", 5000)
    wanted = ("replicas changed by hand: put back", "image changed by hand: put back", "its name led elsewhere")
    step.check(all(words in said for words in wanted), "the service says what was changed", said[-2000:])
    told = site.until_serving(number)
    step.check(states(told)[0][1] != "STARTING", "all of it without another release", states(told))
    log = site.ask_inside()
    step.check("answered [1, 0]" in log, "and it answers under its name", log)


def _put_back(site: ModelsSite, step: Step, what: str, is_so: object) -> None:
    assert callable(is_so)
    until(lambda: all(is_so(found) for found in site.objects("deployments")), f"{what} put back", 60)
    step.check(True, f"a change of {what} is put back")


def wrong_byte(site: ModelsSite, step: Step) -> None:
    version = site.version()
    made = site.deploy(_OTHER, model=f"{MODEL}@{version['version']}", profile="cpu-small")
    step.check(made.status_code == 201, "a version by its number is deployed", made.text)
    site.until_serving(1, _OTHER)
    file = site.file_of(version, "model.pkl")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    again = site.deploy(_OTHER, model=f"{MODEL}@{version['version']}", profile="cpu-small", framework="sklearn")
    step.check(again.status_code in (200, 409), "one byte of its file is flipped where files are kept", again.text)
    told = site.until("the release has failed", lambda told: (2, "FAILED") in states(told), _OTHER)
    reason = told["releases"][0]["reason"]
    step.check("model.pkl" in reason, f"the next release never serves: {reason[:200]}", reason)
    step.check(states(told)[1] == (1, "SERVING"), "what was read before goes on", states(told))
    path = f"models/{MODEL}/versions/{version['version']}"
    until(lambda: site.api("GET", path).json()["version"]["state"] == "QUARANTINED", "it is in quarantine", 60)
    refused = site.promote(version, alias="staging")
    step.check(refused.status_code == 409, "the service has looked itself: the version is in quarantine", refused.text)
    until(lambda: site.told_of("model.quarantined"), "the message has arrived", 30)
    step.check(True, "and who trained it is told")
    _stop(site, step, _OTHER)


def service_killed(site: ModelsSite, step: Step) -> None:
    """At each step of a release: recorded, waiting, starting, answering."""
    hub = site.gated.hub
    last = site.now(_OTHER)["deployment"]["newest"]["number"]
    for number, wanted in enumerate(("PENDING", "STARTING", "SERVING"), last + 1):
        site.deploy(_OTHER, profile="cpu-small", framework="sklearn" if number % 2 else "auto").raise_for_status()
        # A release goes through its states by itself: one that was missed is as good as the next.
        if wanted != "PENDING":
            site.until(f"release {number} is {wanted}", partial(_has_come_to, number, wanted), _OTHER)
        hub.kill("service")
        hub.start_service()
        told = site.until_serving(number, _OTHER)
        step.check(states(told)[0] == (number, "SERVING"), f"killed while it is {wanted}: it serves", states(told))
    owners = [each["metadata"]["labels"][constants.LABEL_OWNER] for each in site.objects("deployments")]
    step.check(len(owners) == len(set(owners)), "no release was made twice", owners)


def _has_come_to(number: int, wanted: str, told: Json) -> bool:
    come = ("STARTING", "SERVING")
    return dict(states(told)).get(number) in come[come.index(wanted) :]


def api_killed(site: ModelsSite, step: Step) -> None:
    """The vCluster's control plane ends while a release starts, and while it serves."""
    number = site.now(_OTHER)["deployment"]["serving"]["number"]
    site.deploy(_OTHER, profile="cpu-small", replicas=1, framework="auto", example=None, model=f"{MODEL}@2")
    site.rig.cluster.run("delete", "pod", f"{TEAM}-0", "-n", f"vc-{TEAM}", "--wait=false", "--grace-period=1")
    before = {each["metadata"]["uid"] for each in site.pods()}
    told = site.until_serving(number + 1, _OTHER, within=240)
    step.check(True, "the vCluster's API is killed while a release starts: it serves")
    left = {each["metadata"]["uid"] for each in site.pods()}
    first = site.now()["deployment"]["serving"]["number"]
    site.until_serving(first)
    step.check(before & left, "what served before runs on in the same pods", (before, left, states(told)))
    until(lambda: site.ask().status_code == 200, "it answers", 60)
    step.check(True, "and answers")


def pod_killed(site: ModelsSite, step: Step) -> None:
    before = site.now()
    number = before["deployment"]["serving"]["number"]
    [pod] = [each for each in site.pods() if _is_of(each, DEPLOYMENT)]
    site.rig.cluster.run("delete", "pod", pod["metadata"]["name"], "-n", f"vc-{TEAM}", "--grace-period=0", "--force")
    begun = time.monotonic()
    until(lambda: pod["metadata"]["uid"] not in {each["metadata"]["uid"] for each in site.pods()}, "it is gone", 60)
    until(lambda: site.ask().status_code == 200, "it answers again", 180)
    told = site.until_serving(number)
    step.check(True, f"its pod is killed: another answers {time.monotonic() - begun:.0f} s later")
    step.check(states(told) == states(before), "it is the same release", (states(told), states(before)))


def _is_of(pod: Json, name: str) -> bool:
    environment = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
    return environment.get("AIFACTORY_DEPLOYMENT") == name


def stopped(site: ModelsSite, step: Step) -> None:
    for name in (_OTHER, DEPLOYMENT):
        _stop(site, step, name)
    for kind in ("deployments", "services", "secrets", "pods"):
        until(lambda kind=kind: site.objects(kind) == [], f"no {kind} are left", 60)  # type: ignore[misc]
    until(lambda: site.tickets() == [], "no ticket is left", 60)
    step.check(True, "nothing is left in the vCluster, nor a ticket on the host")


def _stop(site: ModelsSite, step: Step, name: str) -> None:
    stopped = site.api("DELETE", f"tenants/{TEAM}/deployments/{name}")
    assert stopped.status_code == 200, stopped.text
    until(lambda: not [each for each in site.pods() if _is_of(each, name)], f"the pods of {name} are gone", 120)
    step.check(site.ask(name).status_code == 409, f"{name} is stopped, and says so", site.ask(name).text)


TROUBLES: tuple[tuple[str, StepOf], ...] = (
    ("hands in the vCluster", by_hand),
    ("one byte is wrong", wrong_byte),
    ("the service is killed at each step", service_killed),
    ("the vCluster's API is killed", api_killed),
    ("a pod is killed", pod_killed),
    ("all is stopped", stopped),
)
