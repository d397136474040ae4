"""From a push to a model, with a real Gitea: deliveries, polling, force pushes, forks, kills; the last line counts.

``python -m tests.e2e.git_pipelines``. Gitea, git, the service and its HTTP are real; jobs are processes of this
machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.registry.model import GitConfig, JobsConfig, Registry
from aifactory_hub.service.api import hooks
from aifactory_hub.service.background.periodic import PeriodicTasks

from ..support.fake_hub import FakeHub, scopes_for
from ..support.gitea import Gitea, NoGitea, running_gitea
from ..support.job_service import RunningService, make_registry, running_service
from ..support.local_runs import LocalRuns
from ..support.pipelines import VERSION
from ..support.ports import free_port
from ..support.repositories import Repository, run_git

TIMEOUT = 120.0
PIPELINE = f"""{VERSION}name: fraud
defaults: {{profile: mig-1g.10gb}}
steps:
  prepare: {{command: echo 1 2 3 > rows.txt}}
  train:
    needs: [prepare]
    command: >-
      cp rows.txt model.txt &&
      python3 -c "from aifactory_hub.client import report; report(metrics={{'accuracy': 0.95}})"
  test: {{needs: [train], when: train.accuracy >= 0.9, command: cat model.txt}}
  publish: {{needs: [train, test], register: {{model: fraud, step: train, files: model.txt}}}}
  release: {{needs: [publish], promote: prod}}
"""
QUICK = f"{VERSION}name: quick\nsteps: {{a: {{profile: mig-1g.10gb, command: 'true'}}}}\n"


@dataclass
class Rig:
    """Everything, and what was found."""

    folder: Path
    gitea: Gitea
    hub: FakeHub
    runs: LocalRuns
    port: int
    service: RunningService | None = None
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    found: list[tuple[str, bool, str]] = field(default_factory=list)
    poll: int = 300
    admission: InProcessAdmission = field(default_factory=lambda: InProcessAdmission(make_registry().tenants))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/aifactory/"

    async def ask(self, verb: str, path: str, body: Any = None) -> Any:
        assert self.service is not None
        async with self.service.http("ada", timeout=60) as http:
            answer = await http.request(verb, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def trigger(self, address: str, *, hook: bool = True, url: str | None = None, **asked: Any) -> str:
        """A trigger for a repository of Gitea's, called by it; after its first look."""
        request = {"key": f"{address}{asked}", "url": address, "provider": "gitea", "quiet": 0.5, **asked}
        request["key"] = f"k{abs(hash(request['key']))}"
        made = await self.ask("POST", "/tenants/nlp/triggers", request)
        trigger: str = made["trigger"]["id"]
        if hook:
            path = address.removeprefix(f"https://{self.gitea.host}/").removesuffix(".git")
            called = url or f"http://127.0.0.1:{self.port}{made['trigger']['hook']}"
            await asyncio.to_thread(self.gitea.hook, path, called, made["secret"])
        await self.until(lambda: self._looked(trigger), "the first look")
        return trigger

    async def _looked(self, trigger: str) -> bool:
        told = await self.ask("GET", f"/triggers/{trigger}")
        return told["seen"] is not None or told["problem"] is not None

    async def listed(self, trigger: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            await self.ask("GET", f"/tenants/nlp/pipeline-runs?limit=200&trigger={trigger}")
        )["runs"]
        return found

    async def events(self, trigger: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("GET", f"/triggers/{trigger}/events"))["events"]
        return found

    async def ended(self, trigger: str, count: int = 1) -> list[dict[str, Any]]:
        """The trigger's runs, once so many have ended."""

        async def whole() -> bool:
            runs = await self.listed(trigger)
            return len([run for run in runs if run["state"] != "RUNNING"]) >= count

        await self.until(whole, f"{count} runs that have ended")
        return await self.listed(trigger)

    async def decided(self, trigger: str, count: int = 1) -> list[dict[str, Any]]:
        """The trigger's events, once so many are decided."""

        async def whole() -> bool:
            return len([e for e in await self.events(trigger) if e["state"] != "WAITING"]) >= count

        await self.until(whole, f"{count} decided events")
        return await self.events(trigger)

    async def until(self, met: Callable[[], Awaitable[bool]], what: str) -> None:
        give_up = time.monotonic() + TIMEOUT
        while not await met():
            if time.monotonic() > give_up:
                raise TimeoutError(f"{what} did not come within {TIMEOUT:.0f} s")
            await asyncio.sleep(0.1)

    def check(self, ok: bool, what: str, seen: Any = "") -> None:
        self.found.append((what, bool(ok), str(seen)[:500]))
        print(f"  {'ok ' if ok else 'NOT'} {what}" + ("" if ok else f": {str(seen)[:500]}"), flush=True)

    def repository(self, name: str, files: dict[str, str], **more: Any) -> tuple[Repository, str]:
        """A repository of Gitea's with one commit, and a clone; blocks."""
        address = self.gitea.repository(name, **more)
        clone = Repository.at(self.folder / "clones", name)
        clone.git("remote", "set-url", "origin", self.gitea.push_address(address))
        clone.git("config", "http.sslCAInfo", str(self.gitea.ca))
        clone.commit(files, "first")
        clone.push()
        return clone, address


@asynccontextmanager
async def serving(rig: Rig) -> AsyncIterator[None]:
    """The service with its periodic tasks; leaving it is a stop."""
    git = GitConfig(hosts=(rig.gitea.host,), ca_file=str(rig.gitea.ca), poll=rig.poll)

    def registry(url: str) -> Registry:
        known = make_registry(service=url, jobs=JobsConfig("job:test", max_upload=4 * 2**20))
        return replace(known, git=git)

    made = running_service(
        rig.folder / "service",
        hub=rig.hub,
        registry=registry,
        admission=rig.admission,
        engine=rig.runs.engine,
        port=rig.port,
    )
    async with made as rig.service:
        context = rig.service.context
        calls = {"triggers": (0.2, context.triggers.tick), "pipelines": (0.2, context.pipelines.runner.tick)}
        task = asyncio.create_task(PeriodicTasks(calls).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(Exception):
                await context.triggers.watcher.settle()


async def a_push_becomes_a_model(rig: Rig) -> None:
    clone, address = await asyncio.to_thread(rig.repository, "fraud", {".aifactory/pipeline.yaml": PIPELINE})
    trigger = await rig.trigger(address, status_token=rig.gitea.tokens["ann"])
    began = time.monotonic()
    commit = await asyncio.to_thread(clone.commit, {"train.py": "1"})
    await asyncio.to_thread(clone.push)

    async def begun() -> bool:
        runs = await rig.listed(trigger)
        return bool(runs) and runs[0]["steps"][0]["job"] is not None

    await rig.until(begun, "the first step's job")
    took = time.monotonic() - began
    (run,) = await rig.ended(trigger)
    rig.check(run["state"] == "SUCCEEDED", "a push runs prepare, train and test, and releases", run)
    rig.check(took < 10, f"push to the first step's job took {took:.1f} s, push included")
    cause = run["cause"]
    told = (cause["commit"], cause["ref"], cause["by"], cause["forced"])
    rig.check(told == (commit, "refs/heads/main", "ann", False), "the run says which commit, and who pushed it", told)
    steps = {step["key"]: step for step in run["steps"]}
    assert rig.service is not None
    async with rig.service.http("ada") as http:
        log = (await http.get(f"/jobs/{steps['test']['job']}/logs")).text
        model = (await http.get("/models/fraud")).json()
        origin = (await http.get("/models/fraud/versions/prod")).json()
    rig.check(log == "1 2 3\n", "files went from step to step", log)
    released = [(each["name"], each["version"]) for each in model["model"]["aliases"]]
    rig.check(released == [("prod", 1)], "what it trained is a model, and prod leads to it", model)
    rig.check(commit in json.dumps(origin), "the model's origin names the commit that was pushed", origin)
    await _host_was_told(rig, address, trigger, commit)
    before = len(rig.calls)
    for path, headers, body in rig.calls[:before]:
        for number in range(10):
            changed = {**headers, "X-Gitea-Delivery": f"again-{number}"}
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.post(f"http://127.0.0.1:{rig.port}{path}", content=body, headers=changed)
    await asyncio.sleep(3)
    runs = await rig.listed(trigger)
    rig.check(before > 0 and len(runs) == 1, f"{before} deliveries replayed ten times start nothing more", len(runs))


async def _host_was_told(rig: Rig, address: str, trigger: str, commit: str) -> None:
    async def told() -> bool:
        return str((await rig.events(trigger))[0]["told"]) == "success"

    await rig.until(told, "the host is told of the run's end")
    path = address.removeprefix(f"https://{rig.gitea.host}/").removesuffix(".git")
    found = await asyncio.to_thread(rig.gitea.api, "GET", f"/repos/{path}/commits/{commit}/statuses")
    states = sorted({(each["context"], each["status"]) for each in found})
    expected = [("aifactory/fraud", "pending"), ("aifactory/fraud", "success")]
    rig.check(states == expected, "Gitea shows at the commit that the run went on and succeeded", found)


async def history_and_refs(rig: Rig) -> None:
    clone, address = await asyncio.to_thread(rig.repository, "refs", {".aifactory/pipeline.yaml": QUICK})
    trigger = await rig.trigger(address, branches=["**"], tags=["v*"])
    first = clone.head()
    await asyncio.to_thread(clone.commit, {"a": "1"})
    await asyncio.to_thread(clone.push)
    await rig.ended(trigger, 1)
    clone.git("reset", "--quiet", "--hard", first)
    other = await asyncio.to_thread(clone.commit, {"b": "1"})
    await asyncio.to_thread(clone.push, force=True)
    runs = await rig.ended(trigger, 2)
    told = (runs[0]["cause"]["commit"], runs[0]["cause"]["forced"])
    rig.check(told == (other, True), "a force push runs, and is marked", told)
    clone.git("tag", "-a", "-m", "one", "v1")
    await asyncio.to_thread(clone.push, "v1")
    runs = await rig.ended(trigger, 3)
    told = (runs[0]["cause"]["kind"], runs[0]["cause"]["commit"])
    rig.check(told == ("tag", other), "an annotated tag leads to its commit", told)
    for number in range(5):
        clone.git("branch", f"try/{number}")
    await asyncio.to_thread(clone.push, *(f"try/{number}" for number in range(5)))
    runs = await rig.ended(trigger, 8)
    refs = {run["cause"]["ref"] for run in runs[:5]}
    rig.check(len(runs) == 8 and len(refs) == 5, "five branches at once are five runs", refs)
    await asyncio.to_thread(clone.push, ":try/0")
    events = await rig.decided(trigger, 9)
    rig.check(events[0]["reason"] == "try/0 was deleted", "a deleted branch starts nothing", events[0])
    await asyncio.to_thread(rig.gitea.user, "bea")
    await asyncio.to_thread(rig.gitea.api, "POST", "/repos/ann/refs/forks", {}, user="bea")
    fork = Repository.at(rig.folder / "clones", "fork")
    fork.git("config", "http.sslCAInfo", str(rig.gitea.ca))
    fork.git("remote", "set-url", "origin", rig.gitea.push_address(f"https://{rig.gitea.host}/bea/refs.git", "bea"))
    await asyncio.to_thread(fork.git, "fetch", "--quiet", "origin", "main")
    fork.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    await asyncio.to_thread(fork.commit, {"evil": "1"})
    await asyncio.to_thread(fork.push, "main:refs/heads/evil")
    pull = {"title": "x", "head": "bea:evil", "base": "main"}
    await asyncio.to_thread(rig.gitea.api, "POST", "/repos/ann/refs/pulls", pull, user="bea")
    await asyncio.sleep(3)
    rig.check(len(await rig.listed(trigger)) == 8, "a fork and its change request start nothing")


async def three_thousand_commits(rig: Rig) -> None:
    clone, address = await asyncio.to_thread(rig.repository, "long", {".aifactory/pipeline.yaml": QUICK})
    trigger = await rig.trigger(address, paths=["src/**"])
    lines = []
    for number in range(3000):
        what = f"src/f{number % 7}" if number == 5 else f"docs/f{number % 7}"
        data = f"{number}\n"
        lines.append(
            f"commit refs/heads/main\ncommitter Ann <ann@example.org> {1_700_000_000 + number} +0000\ndata 1\nx\n"
            + (f"from {clone.head()}\n" if number == 0 else "")
            + f"M 100644 inline {what}\ndata {len(data)}\n{data}\n"
        )
    stream = rig.folder / "stream"
    stream.write_text("".join(lines))
    alias = f"alias.import=!git fast-import --quiet < {stream}"
    await asyncio.to_thread(run_git, clone.clone, "-c", alias, "import")
    await asyncio.to_thread(clone.push)
    runs = await rig.ended(trigger)
    events = await rig.events(trigger)
    seen = (len(runs), [event["state"] for event in events])
    rig.check(seen == (1, ["STARTED"]), "a push of 3,000 commits is one run, by the path that the sixth changed", seen)
    clone.git("reset", "--quiet", "--hard", "main")
    await asyncio.to_thread(clone.commit, {"docs/only": "1"})
    await asyncio.to_thread(clone.push)
    events = await rig.decided(trigger, 2)
    rig.check(events[0]["state"] == "SKIPPED", "one that changes no such path starts nothing", events[0])


async def rights_sizes_and_addresses(rig: Rig) -> None:
    files = {".aifactory/pipeline.yaml": QUICK}
    clone, address = await asyncio.to_thread(lambda: rig.repository("secret", files, private=True))
    without = await rig.trigger(address, hook=False, name="without")
    told = await rig.ask("GET", f"/triggers/{without}")
    rig.check("credential" in str(told["problem"]), "a private repository wants a credential", told["problem"])
    trigger = await rig.trigger(address, name="with", username="ann", token=rig.gitea.tokens["ann"])
    await asyncio.to_thread(clone.commit, {"a": "1"})
    await asyncio.to_thread(clone.push)
    (run,) = await rig.ended(trigger)
    rig.check(run["state"] == "SUCCEEDED", "and is read with one", run)
    await asyncio.to_thread(clone.commit, {"big": "x" * (5 * 2**20)})
    await asyncio.to_thread(clone.push)
    events = await rig.decided(trigger, 2)
    refused = (events[0]["state"], events[0]["reason"])
    rig.check(refused[0] == "REFUSED" and "bytes" in str(refused[1]), "a commit that is too large is refused", refused)
    await asyncio.to_thread(rig.gitea.api, "PATCH", "/repos/ann/secret", {"name": "renamed"})
    await rig.ask("PATCH", f"/triggers/{trigger}", {"paused": True})
    await rig.ask("PATCH", f"/triggers/{trigger}", {"paused": False})

    async def told_so() -> bool:
        said: str | None = (await rig.ask("GET", f"/triggers/{trigger}"))["problem"]
        return said is not None

    await rig.until(told_so, "a problem of the renamed repository")
    problem = (await rig.ask("GET", f"/triggers/{trigger}"))["problem"]
    rig.check("renamed" in problem or "no such" in problem, "a renamed repository is not followed, and said", problem)


async def kills_and_lost_deliveries(rig: Rig) -> None:
    clone, address = await asyncio.to_thread(rig.repository, "kills", {".aifactory/pipeline.yaml": PIPELINE})
    rig.poll = 2
    async with serving(rig):
        trigger = await rig.trigger(address, url="http://127.0.0.1:9/nothing")
    await asyncio.to_thread(clone.commit, {"a": "1"})
    await asyncio.to_thread(clone.push)
    pauses = [0.3, 0.9, 1.5, 2.1, 2.7, 3.3]
    for pause in pauses:
        async with serving(rig):
            await asyncio.sleep(pause)
    async with serving(rig):
        (run,) = await rig.ended(trigger)
        rig.check(run["state"] == "SUCCEEDED", "what was pushed while the service was away is found by asking", run)
        jobs = (await rig.ask("GET", "/jobs?text=fraud&limit=200"))["jobs"]
        of_run = [job for job in jobs if job["id"] in {step["job"] for step in run["steps"]}]
        others = [job for job in jobs if job["times"]["submitted"] > run["created"] and job not in of_run]
        seen = (len(of_run), len(others))
        rig.check(seen == (3, 0), f"{len(pauses)} stops of the service in between make no job twice", seen)


STEPS = (a_push_becomes_a_model, history_and_refs, three_thousand_commits, rights_sizes_and_addresses)


async def drive(folder: Path) -> int:
    """Every step; 0 when all is as it should be."""
    original = hooks.Hook.post
    hub = FakeHub()
    hub.start()
    hub.add("ada", "ada", scopes_for("nlp"), groups=["tenant-nlp"])
    runs = LocalRuns(folder / "node", MemoryEngine())
    try:
        with running_gitea(folder / "gitea") as gitea:
            rig = Rig(folder, gitea, hub, runs, free_port())

            async def recorded(self: Any, hook: str) -> None:
                if "again" not in self.request.headers.get("X-Gitea-Delivery", ""):
                    rig.calls.append((self.request.path, dict(self.request.headers), bytes(self._body)))
                await original(self, hook)

            hooks.Hook.post = recorded  # type: ignore[method-assign]
            async with serving(rig):
                for step in STEPS:
                    await _step(step, rig)
            await _step(kills_and_lost_deliveries, rig)
    finally:
        hooks.Hook.post = original  # type: ignore[method-assign]
        runs.close()
        await hub.stop()
    good = sum(ok for _, ok, _ in rig.found)
    print(f"git: {good} of {len(rig.found)}")
    return 0 if good == len(rig.found) else 1


async def _step(step: Callable[[Rig], Awaitable[None]], rig: Rig) -> None:
    began = time.monotonic()
    print(step.__name__.replace("_", " "), flush=True)
    try:
        await step(rig)
    except Exception as error:
        rig.check(False, f"{step.__name__.replace('_', ' ')} to its end", f"{type(error).__name__}: {error}")
    print(f"  {time.monotonic() - began:.1f} s", flush=True)


def main() -> int:
    """The exit code."""
    try:
        with tempfile.TemporaryDirectory(prefix="aifactory-e2e-git-") as folder:
            return asyncio.run(drive(Path(folder)))
    except NoGitea as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
