"""What the site's rules cost: a submit with 50 rules and without any, and the impact of a rule on 10,000 requests.

Submits go through the service's own submissions and database (SQLite on this disk), one after the other, in turns with
and without rules. The starter pack's rules about jobs are repeated under other names until there are 50, of which two
thirds look at each job whole; nothing refuses.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import delete, insert

from aifactory_hub.admission import InProcessAdmission
from aifactory_hub.domain.gates import Bundle, Rule
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Severity, Target, Verb
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.policy import RulesProvider, load_bundle
from aifactory_hub.policy.engine import Engine
from aifactory_hub.policy.load import Loaded
from aifactory_hub.service.api.context import Context
from aifactory_hub.service.gates import SiteRules
from aifactory_hub.service.impact import DAY, impact_of
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult
from aifactory_hub.store.database import writing
from aifactory_hub.store.models import JobRow
from tests.support.job_service import Folder, make_context, make_registry

from .frame import Report, summary

STARTER = Path(__file__).parents[1] / "aifactory_hub" / "policy" / "starter"
RULES, SUBMITS, REQUESTS = 50, 300, 10_000
TARGETS = {"added to a submit, p50 ms": 5.0, "impact, s": 2.0}


class Fixed(RulesProvider):
    """These rules and no folder."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(lambda: None)
        self._loaded = loaded

    def look(self) -> None:
        """Nothing changes."""


def rules(count: int) -> Loaded:
    """So many rules about jobs that refuse nothing: each is only advice."""
    known = load_bundle(STARTER).bundle.of(Target.JOB)
    engine, made = Engine(), []
    for number in range(count):
        rule: Rule = replace(known[number % len(known)], id=f"rule-{number}", severity=Severity.ADVISORY, needs=())
        engine.add(rule)
        made.append(rule)
    return Loaded(Bundle("of the benchmark" if made else "", tuple(made)), engine)


def service(folder: Path, loaded: Loaded) -> Context:
    """The service's parts, with nothing running."""
    registry = make_registry()
    admission, engine = InProcessAdmission(registry.tenants), MemoryEngine()
    return make_context(Folder(folder), registry, admission, engine, gates=SiteRules(Fixed(loaded), time.time))


async def submit(context: Context, number: int) -> float:
    """Milliseconds of one submit."""
    environment = {f"VARIABLE_{n}": "x" for n in range(20)}
    asked = Submission(
        command="python train.py", profile="mig-1g.10gb", key=f"k{number}", max_seconds=3600, environment=environment
    )
    began = time.perf_counter()
    taken = await context.submissions.submit("ada", "nlp", asked, role=Role.MEMBER)
    took = 1000 * (time.perf_counter() - began)
    assert isinstance(taken, SubmitResult), taken
    return took


async def submits(folder: Path, count: int) -> dict[str, list[float]]:
    """In turns, so that both have the same machine."""
    contexts = {"none": service(folder / "none", rules(0)), f"{RULES}": service(folder / "some", rules(RULES))}
    found: dict[str, list[float]] = {name: [] for name in contexts}
    for number in range(count + 20):
        for name, context in contexts.items():
            found[name].append(await submit(context, number))
    for context in contexts.values():
        context.jobs.close()
    return {name: values[20:] for name, values in found.items()}


def judging(context: Context) -> list[float]:
    """Milliseconds of one look at all rules, with the view and without the database."""
    job = context.jobs.newest(["nlp"], limit=1)[0]
    took = []
    for _ in range(200):
        began = time.perf_counter()
        context.job_gate.review(Verb.SUBMIT, job, Role.MEMBER)
        took.append(1000 * (time.perf_counter() - began))
    return took


def seconds_of_impact(context: Context, loaded: Loaded) -> float:
    """Of one rule on all that was asked."""
    began = time.perf_counter()
    registry = context.registry
    rule = loaded.bundle.rules[0]
    since = time.time() - 30 * DAY
    found = impact_of(rule, loaded.engine, context.jobs.db, registry, since=since, tenants=registry.tenants)
    took = time.perf_counter() - began
    assert found.asked == REQUESTS, found.asked
    return took


async def asked(context: Context) -> None:
    """As many requests as there are to be, at once."""
    for start in range(0, REQUESTS, 500):
        await asyncio.gather(*(submit(context, start + n) for n in range(500)))


def from_before(context: Context) -> None:
    """The same jobs without what the rules said, each with a diff and a list of packages."""
    packages = [f"package-{n}==1.0" for n in range(100)]
    told = {"commit": "0" * 40, "dirty": True, "diff": "x" * 5000, "packages": packages}
    known = context.jobs.newest(["nlp"], limit=1)[0]
    with writing(context.jobs.db) as connection:
        row = dict(connection.execute(JobRow.__table__.select().where(JobRow.id == known.id)).mappings().one())
        rows = [{**row, "id": f"j{n:012x}", "key": f"before-{n}", "provenance": told} for n in range(REQUESTS)]
        connection.execute(delete(JobRow))
        connection.execute(insert(JobRow), rows)


async def measure(folder: Path) -> Report:
    """All of it."""
    taken = await submits(folder, SUBMITS)
    loaded = rules(RULES)
    recorded = service(folder / "recorded", loaded)
    await asked(recorded)
    judged = judging(recorded)
    of_records = seconds_of_impact(recorded, loaded)
    recorded.jobs.close()
    plain = service(folder / "before", rules(0))
    await submit(plain, 0)
    from_before(plain)
    of_jobs = seconds_of_impact(plain, loaded)
    plain.jobs.close()
    rows = [
        *({"what": f"a submit, {name} rules, ms", **summary(values)} for name, values in taken.items()),
        {"what": f"{RULES} rules and the view alone, ms", **summary(judged)},
        {"what": f"impact on {REQUESTS} recorded requests, s", "p50": round(of_records, 2)},
        {"what": f"impact on {REQUESTS} jobs from before, s", "p50": round(of_jobs, 2)},
    ]
    raw = {**taken, "judging": judged, "impact": {"recorded": of_records, "before": of_jobs}}
    added = summary(taken[f"{RULES}"])["p50"] - summary(taken["none"])["p50"]
    notes = [f"{RULES} rules add {added:.2f} ms to a submit (p50); the goal is 5. Impact: the goal is 2 s."]
    return Report(
        "gates", "What do the site's rules cost?", rows, raw, notes, ["the GPUs"], ["cel-expr-python", "sqlalchemy"]
    )


def main() -> None:
    """Measure and report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(measure(Path(folder)))
    report.finish()


if __name__ == "__main__":
    main()
