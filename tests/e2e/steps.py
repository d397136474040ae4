"""The eight steps of the day, each with what it checks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import cases
from .cluster import Cluster
from .person import Kernel, Person
from .processes import HubUnderTest
from .table import Step

SLICE = "mig-1g.10gb"
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass
class Day:
    """The people, the hub and the cluster, and what one step leaves for the next."""

    hub: HubUnderTest
    cluster: Cluster
    people: dict[str, Person]
    jobs: dict[str, str] = field(default_factory=dict)

    @property
    def nlp(self) -> Person:
        return self.people["nlp-user"]

    @property
    def vision(self) -> Person:
        return self.people["vision-user"]

    @property
    def two(self) -> Person:
        return self.people["two-team-user"]


def sign_in(day: Day, step: Step) -> None:
    page = day.nlp.sign_in()
    query = parse_qs(urlsplit(day.nlp.authorize_url).query)
    step.check(page.status_code == 200, "the nlp user signs in through the identity provider", page.text[:400])
    step.check(
        query.get("response_type") == ["code"] and query.get("code_challenge_method") == ["S256"],
        "by authorization code with PKCE (S256)",
        query,
    )
    day.nlp.make_token()
    nobody = day.people["no-team-user"].sign_in()
    text = nobody.text.lower()
    step.check(nobody.status_code == 403, "the user without a team is refused (403)", nobody.status_code)
    step.check(
        "no-team-user" in text and "team" in text and "admin" in text and "group" in text,
        "the page says why and what to ask for",
        nobody.text[-3000:],
    )


def menus(day: Day, step: Step) -> None:
    own = day.nlp.spawn_page()
    step.check(own.tenants == {"nlp"}, "the nlp user's page offers the tenant nlp only", own)
    offered = {"cpu-small", SLICE, "mig-3g.40gb"}
    step.check(own.profiles == offered, "and exactly nlp's profiles", own.profiles)
    step.check("simulated" in own.text.lower(), "and says that the GPUs are simulated", own.text)
    day.two.sign_in()
    day.two.make_token()
    both = day.two.spawn_page()
    step.check(both.tenants == {"nlp", "vision"}, "the two-team user's page offers both", both)
    before = day.cluster.pod_names()
    for tenant, profile, what in (
        ("vision", SLICE, "another tenant"),
        ("nlp", "mig-7g.80gb", "another profile"),
    ):
        answer = day.nlp.spawn(tenant, profile)
        wrong = tenant if tenant != "nlp" else profile
        step.check(
            answer is not None and 400 <= answer.status < 500 and wrong in answer.text,
            f"a POST that names {what} is refused in words",
            answer,
        )
    step.check(day.nlp.servers() == {}, "the hub has no server of hers", day.nlp.servers())
    step.check(day.cluster.pod_names() == before, "and no pod was made", day.cluster.pod_names() - before)


def notebook(day: Day, step: Step) -> None:
    events = start(day.nlp, "nlp")
    step.check(events[-1].get("ready"), "the spawn of mig-1g.10gb becomes ready", events)
    told = " ".join(str(event.get("message", "")) for event in events).lower()
    for word in ("quota", "queue", "pod", "image", "ready"):
        step.check(word in told, f"the progress tells of: {word}", told)
    tickets = day.cluster.tickets("nlp")
    step.check(
        len(tickets) == 1 and tickets[0].admitted and tickets[0].active,
        "one Kueue ticket is admitted, and says that its pod lives",
        tickets,
    )
    pod = day.cluster.pod("nlp", "notebooks", "nlp-user")
    step.check(pod.running and pod.node == day.cluster.node, "its pod runs on the node", pod)
    step.check(pod.devices == {f"nvidia.com/{SLICE}": "1"}, "with one (simulated) slice", pod.devices)
    _check_credential(day, step)
    target = day.hub.routes().get("/user/nlp-user/", {}).get("target", "")
    lab = day.nlp.notebook("lab")
    step.check(lab.status_code == 200 and "jupyterlab" in lab.text.lower(), "JupyterLab answers", lab.status_code)
    step.check(f"//{pod.ip}:" in target, "the proxy routes to the pod's own address", target)


def _check_credential(day: Day, step: Step) -> None:
    may = day.cluster.tenant_rights("nlp", "hub-notebooks")
    step.check(may("create", "pods", "notebooks"), "the credential used can create pods in notebooks")
    forbidden = [("create", "pods", "default"), ("get", "secrets", "notebooks"), ("create", "jobs", "jobs"),
                 ("list", "nodes", ""), ("create", "clusterroles", ""), ("get", "pods", "kube-system")]  # fmt: skip
    allowed = [right for right in forbidden if may(*right)]
    step.check(not allowed, "and nothing else (six other rights tried)", allowed)


def job(day: Day, step: Step) -> None:
    result = train(day.nlp)
    day.jobs["nlp"] = result["id"]
    check_result(step, result, "nlp")
    gone = day.cluster.wait(lambda: len(day.cluster.tickets("nlp")) == 1, 30)
    step.check(gone, "the job's ticket is given back", day.cluster.tickets("nlp"))


def neighbours(day: Day, step: Step) -> None:
    """The vision user does the same at the same time as nlp works on."""
    day.vision.sign_in()
    day.vision.make_token()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(train, day.nlp)
        second = pool.submit(lambda: (start(day.vision, "vision"), train(day.vision))[1])
        nlp_result, vision_result = first.result(), second.result()
    check_result(step, nlp_result, "nlp")
    check_result(step, vision_result, "vision")
    pods = [day.cluster.pod(t, "notebooks", f"{t}-user") for t in ("nlp", "vision")]
    step.check(all(pod.running for pod in pods), "both servers run in the same virtual namespace", pods)
    for person, own, other, team in (
        (day.vision, vision_result["id"], nlp_result["id"], "nlp"),
        (day.nlp, nlp_result["id"], vision_result["id"], "vision"),
    ):
        seen = ask(person.start_kernel(), cases.LOOK_ACROSS.format(job=other, tenant=team))
        step.check(
            own in seen["listed"] and other not in seen["listed"],
            f"{person.name} lists her own jobs only",
            seen,
        )
        step.check(
            seen["other"] == 404 and seen["logs"] == 404,
            f"the other team's job is not there for {person.name}",
            seen,
        )
        step.check(seen["forged"] in (403, 404), f"and {person.name} can't submit into {team}", seen)
        step.check(seen["users"] == 403, "her kernel's token can't list users", seen)
    visible = {team: day.cluster.virtual_pod_names(team) for team in ("nlp", "vision")}
    crossed = [n for n in visible["nlp"] if "vision" in n] + [n for n in visible["vision"] if "nlp" in n]
    step.check(not crossed, "neither vCluster holds anything of the other", visible)


def refusal(day: Day, step: Step) -> None:
    start(day.two, "nlp")
    step.check(len(day.cluster.tickets("nlp")) == 2, "the two-team user takes nlp's last slice")
    before = day.cluster.pod_names()
    answer = day.two.spawn("nlp", SLICE, server="more")
    text = answer.text if answer else "the hub took it"
    for words in (SLICE, "asked 1", "used 2", "limit 2", "fits now", "cpu-small", "mig-3g.40gb"):
        step.check(words in text.lower(), f"one more is refused, and the page says: {words}", text)
    step.check(day.cluster.pod_names() == before, f"no pod was made ({len(before)} before and after)")
    step.check(len(day.cluster.tickets("nlp")) == 2, "and no ticket filed", day.cluster.tickets("nlp"))
    day.two.stop()


def stop_and_return(day: Day, step: Step) -> None:
    day.nlp.write_file("kept.txt", "still here")
    left = ask(day.nlp.start_kernel(), cases.SUBMIT_AND_LEAVE)["id"]
    running = wait_until(lambda: job_state(day, left) == "RUNNING", 60)
    step.check(running, "she sends a job and stops her server while it runs", job_state(day, left))
    begun = time.monotonic()
    day.nlp.stop()
    gone = day.cluster.wait(lambda: not day.cluster.has_pod("nlp", "notebooks", "nlp-user"), 10)
    freed = day.cluster.wait(
        lambda: not [t for t in day.cluster.tickets("nlp") if t.owner == "nlp-user"],
        10 - (time.monotonic() - begun),
    )
    seconds = time.monotonic() - begun
    step.check(
        gone and freed and seconds <= 10,
        f"pod and ticket are gone {seconds:.1f} s after the click",
        (gone, freed),
    )
    step.check(day.cluster.has_claim("nlp", "notebooks", "nlp-user"), "her volume stays")
    wait_until(lambda: not day.nlp.servers(), 20)
    step.check(job_state(day, left) == "RUNNING", "the job runs on when the server is gone", job_state(day, left))
    wait_until(lambda: job_state(day, left) in ENDED, 90)
    step.check(
        job_state(day, left) == "SUCCEEDED" and not day.nlp.servers(),
        "and ends SUCCEEDED without it",
        (job_state(day, left), day.nlp.servers()),
    )
    start(day.nlp, "nlp")
    step.check(day.nlp.read_file("kept.txt") == "still here", "her next start finds her file")
    _check_found_again(step, ask(day.nlp.start_kernel(), cases.COME_BACK.format(job=left)))


def _check_found_again(step: Step, told: dict[str, Any]) -> None:
    numbers = [line.split()[1] for line in told["logs"].splitlines() if line.startswith("count ")]
    step.check(
        told["state"] == "SUCCEEDED" and told["result"] == {"counted": 60} and told["mine"],
        "and there jobs.get() has the job and what its function returned",
        told,
    )
    step.check(numbers == [str(n) for n in range(60)], "and all that it printed, before and after the stop", numbers)


def crash(day: Day, step: Step) -> None:
    kernels = {p.name: p.start_kernel() for p in (day.nlp, day.vision)}
    for name, kernel in kernels.items():
        kernel.run(f"kept = {name!r}")
    slow = ask(kernels["nlp-user"], cases.SUBMIT_SLOW)["id"]
    running = wait_until(lambda: job_state(day, slow) == "RUNNING", 60)
    step.check(running, "two notebooks and a job run", job_state(day, slow))
    probe = Probe([day.nlp, day.vision])
    probe.begin()
    day.hub.kill("hub")
    time.sleep(3)
    begun = time.monotonic()
    day.hub.start_hub()
    back = time.monotonic() - begun
    for person in (day.nlp, day.vision):
        listed = wait_until(partial(is_listed, person), 30)
        step.check(
            listed,
            f"{person.name}'s server is still listed as running (hub back in {back:.1f} s)",
            person.servers(),
        )
    ended = wait_until(lambda: job_state(day, slow) in ENDED, 90)
    asked, failed = probe.end()
    step.check(not failed, f"both notebooks answered throughout ({asked} requests, 0 failed)", failed[:5])
    step.check(ended and job_state(day, slow) == "SUCCEEDED", "the job ends SUCCEEDED", job_state(day, slow))
    for name, kernel in kernels.items():
        step.check(kernel.run("print(kept)").strip() == name, f"{name}'s kernel kept its memory")


def start(person: Person, tenant: str, server: str = "", profile: str = SLICE) -> list[dict[str, Any]]:
    """Send the form and watch the progress page until the server is ready."""
    refused = person.spawn(tenant, profile, server)
    if refused is not None:
        raise AssertionError(f"the hub refused {person.name}: {refused.text[:2000]}")
    events = person.progress(server)
    if not events[-1].get("ready"):
        raise AssertionError(f"the spawn of {person.name} failed: {events}")
    # Opening the server signs the browser in there, as following the page's redirect does.
    person.notebook("lab", server)
    return events


def train(person: Person) -> dict[str, Any]:
    """Save train.py and run the cell that submits it, in a real kernel."""
    person.write_file("train.py", cases.TRAIN)
    return ask(person.start_kernel(), cases.SUBMIT_AND_WAIT, timeout=300)


def ask(kernel: Kernel, code: str, timeout: float = 120) -> dict[str, Any]:
    """The JSON after RESULT of what the code prints."""
    printed = kernel.run(code, timeout)
    return dict(json.loads(printed.split("RESULT", 1)[1]))


def check_result(step: Step, result: dict[str, Any], team: str) -> None:
    step.check(result["state"] == "SUCCEEDED", f"{team}: job.wait() ends SUCCEEDED", result)
    accuracy = result["logs"].split("accuracy:")[1].split()[0] if "accuracy:" in result["logs"] else None
    step.check(accuracy, f"{team}: job.logs() shows the accuracy ({accuracy})", result)
    step.check(
        "@sha256:" in result["image"], f"{team}: the job ran in its notebook's own image, by digest", result["image"]
    )
    step.check(result["model"] == "LogisticRegression", f"{team}: job.artifacts gives the model back", result)


def is_listed(person: Person) -> bool:
    """Whether the hub lists her default server as running."""
    return person.servers().get("", {}).get("ready") is True


def job_state(day: Day, job_id: str) -> str:
    """The job's state as the nlp user's own token sees it through the service."""
    return day.nlp.job_state(job_id)


def wait_until(condition: Callable[[], object], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.3)
    return False


class Probe:
    """Asks each person's notebook server again and again, and counts every answer that is not 200."""

    def __init__(self, people: list[Person]) -> None:
        self._people = people
        self._stop = threading.Event()
        self._asked = 0
        self._failed: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(p,), daemon=True) for p in people]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> tuple[int, list[str]]:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=35)
        return self._asked, self._failed

    def _ask(self, person: Person) -> None:
        while not self._stop.is_set():
            try:
                status = person.notebook("api/status").status_code
                problem = "" if status == 200 else f"status {status}"
            except Exception as error:  # every failure counts, whatever it is
                problem = repr(error)
            self._asked += 1
            if problem:
                self._failed.append(f"{person.name}: {problem}")
            self._stop.wait(0.2)
