"""``aifactory-hub demo --check``: the whole day through real HTTP, as a table."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from .site import LARGE, OLDER, SMALL
from .visitor import Visitor

_TRAIN = """\
import json, pickle
from aifactory_hub.client import submit
job = submit("python train.py", profile="mig-1g.10gb")
state = job.wait(timeout=60, progress=False, poll=0.2)
names = sorted(job.artifacts)
model = pickle.loads(job.artifacts["model.pkl"].read()) if state == "SUCCEEDED" else None
print("RESULT", json.dumps({"state": state, "logs": job.logs(), "artifacts": names, "simulated": job.simulated,
                            "model": type(model).__name__}))
"""
_QUEUE = """\
import json, time
from aifactory_hub.client import submit
job = submit("echo waited", profile="mig-1g.10gb", files=None)
until = time.monotonic() + 10
while job.refresh().state != "QUEUED" and time.monotonic() < until:
    time.sleep(0.2)
print("RESULT", json.dumps({"id": job.id, "state": job.state, "position": job.position, "said": str(job)}))
"""
_ASK = """
import json, time
from aifactory_hub.client import Refused, request_team, team_requests
try:
    wanted = {"h100-80gb:mig-1g.10gb": 2}
    request_team("sound", "project", members=["teams/sound"], quota=wanted, reason="speech")
    refused = ""
except Refused as error:
    refused = str(error)
request_team("audio", "trial", members=["teams/audio"], reason="speech")
until = time.monotonic() + 60
while True:
    [made] = team_requests()
    now = [each["sentence"] for each in made["steps"] if each["state"] == "now"]
    if not now or time.monotonic() > until:
        break
    time.sleep(0.5)
print("RESULT", json.dumps({"state": made["state"], "refused": refused, "now": "".join(now)}))
"""
_WAIT = """\
import json
from aifactory_hub.client import get
found = get({id!r})
print("RESULT", json.dumps({{"state": found.wait(timeout=60, progress=False, poll=0.2), "logs": found.logs()}}))
"""


class CheckFailed(Exception):
    """Something was not as it should be; the text says what, and what was seen."""


@dataclass
class Step:
    """What was seen to be true in one step."""

    seen: list[str] = field(default_factory=list)

    def check(self, holds: object, what: str, seen: object = "") -> None:
        """Note ``what``, or raise CheckFailed when it does not hold."""
        if not holds:
            raise CheckFailed(f"not so: {what}. Seen: {str(seen)[:2000]}")
        self.seen.append(what)


@dataclass
class Day:
    """Who is there."""

    ada: Visitor
    noor: Visitor
    mika: Visitor
    sam: Visitor
    queued: str = ""


def check_day(address: str, say: Callable[[str], None]) -> bool:
    """Play the day, telling it line by line; whether every step passed. A step that fails ends the day."""
    ada, noor, mika, sam = people = [Visitor(name, address) for name in ("ada", "noor", "mika", "sam")]
    day, began, passed = Day(ada, noor, mika, sam), time.monotonic(), 0
    say("")
    try:
        for title, play in STEPS:
            step, step_began = Step(), time.monotonic()
            try:
                play(day, step)
            except Exception:
                say(f"FAILED | {time.monotonic() - step_began:5.1f} s | {title} | {'; '.join(step.seen)}")
                say(traceback.format_exc())
                break
            passed += 1
            say(f"{passed:6} | {time.monotonic() - step_began:5.1f} s | {title} | {'; '.join(step.seen)}")
    finally:
        for person in people:
            person.close()
    say(f"demo: {passed} of {len(STEPS)} steps in {time.monotonic() - began:.0f} s")
    return passed == len(STEPS)


def _sign_in(day: Day, step: Step) -> None:
    choice, back = day.ada.sign_in()
    step.check("ada" in choice.values("person"), "the provider shows the people", choice.text)
    step.check(back.url.startswith(f"{day.ada.address}/hub/") and back.status == 200, "ada is in the hub", back.text)
    step.check("simulated" in back.text, "the page says what is simulated", back.text)
    refused = day.sam.sign_in()[1]
    step.check(refused.status == 403 and "no team" in refused.text, "sam, in no team, is told so", refused.text)


def _menu(day: Day, step: Step) -> None:
    page = day.ada.menu()
    offered = page.values("profile")
    step.check(offered == ["cpu-small", "cpu-large", SMALL, LARGE, OLDER], "the menu has the team's profiles", offered)
    step.check("2 of 3 free" in page.text, f"2 of 3 {SMALL} are free, a neighbour has one", page.text)
    step.check("Vision" not in page.text, "nothing of the other team", page.text)
    day.mika.sign_in()
    both = {value for value in day.mika.menu().values("profile") if value.endswith(f"/{SMALL}")}
    step.check(both == {f"nlp/{SMALL}", f"vision/{SMALL}"}, "mika chooses between two teams", both)


def _spawn(day: Day, step: Step) -> None:
    refused = day.ada.start(SMALL)
    step.check(refused is None, "the hub takes the form", refused.text if refused else "")
    events = day.ada.progress()
    told = " ".join(str(event.get("message", "")) for event in events)
    step.check(events[-1].get("ready"), "the server gets ready", events)
    step.check(all(word in told for word in ("quota", "queue", "pod", "ready")), "each step is told", told)
    lab = day.ada.notebook("lab")
    step.check(lab.status_code == 200 and "jupyterlab" in lab.text.lower(), "JupyterLab answers", lab.status_code)
    tour = day.ada.notebook("api/contents/tour.ipynb?content=0")
    step.check(tour.status_code == 200, "the tour is in the home folder", tour.status_code)


def _job(day: Day, step: Step) -> None:
    result = _result(day.ada.run(_TRAIN))
    step.check(result["state"] == "SUCCEEDED", "a training submitted in a kernel succeeds", result)
    step.check("accuracy: 0.9" in str(result["logs"]), "its log has the accuracy", result)
    step.check("model.pkl" in str(result["artifacts"]), "its model comes home", result)
    step.check(result["model"] == "SGDClassifier", "and can be loaded", result)
    step.check(result["simulated"] is True, "the API says that GPUs are simulated", result)


def _refusal(day: Day, step: Step) -> None:
    day.noor.sign_in()
    step.check(day.noor.start(SMALL) is None and day.noor.progress()[-1].get("ready"), "noor takes the last slice")
    page = day.mika.start(SMALL)
    text = page.text if page else "the hub took it"
    for words in ("Asked 1", "used 3", "limit 3", "Fits now: cpu-small, cpu-large, mig-3g.40gb, mig-3g.20gb"):
        step.check(words in text, f"mika is refused: {words}", text)
    step.check("lena (simulated)" in text and "noor" in text, "and told who holds them", text)


def _queue(day: Day, step: Step) -> None:
    result = _result(day.ada.run(_QUEUE))
    step.check(result["state"] == "QUEUED", "a job of ada's waits for quota", result)
    step.check(result["position"] == 0, "and knows its place", result)
    day.queued = str(result["id"])


def _team(day: Day, step: Step) -> None:
    result = _result(day.ada.run(_ASK))
    step.check(result["state"] == "GRANTED", "ada asks for a team and it is granted", result)
    step.check("you can have" in str(result["refused"]), "one that does not fit is told the largest that does", result)
    step.check(result["now"] == "", "its stages are passed (simulated)", result)
    day.ada.sign_in()


def _stop(day: Day, step: Step) -> None:
    began = time.monotonic()
    day.noor.stop()
    step.check(True, f"noor's server stops in {time.monotonic() - began:.1f} s")
    result = _result(day.ada.run(_WAIT.format(id=day.queued)))
    step.check(result["state"] == "SUCCEEDED" and "waited" in str(result["logs"]), "the waiting job runs", result)
    day.ada.stop()
    page = day.ada.menu()
    step.check("2 of 3 free" in page.text, "what both gave back is free again", page.text)
    offered = page.values("profile")
    step.check("audio/cpu-small" in offered, "the team that ada asked for is on the menu, nothing restarted", offered)


def _result(printed: str) -> dict[str, object]:
    return dict(json.loads(printed.split("RESULT", 1)[1]))


STEPS: tuple[tuple[str, Callable[[Day, Step], None]], ...] = (
    ("sign-in", _sign_in),
    ("menu", _menu),
    ("notebook", _spawn),
    ("job, log, artifact", _job),
    ("refusal", _refusal),
    ("queue", _queue),
    ("a team by request", _team),
    ("stop", _stop),
)
