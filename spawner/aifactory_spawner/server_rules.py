"""The site's rules about notebook servers: the same files as the job service's, judged in the hub before a start."""

from __future__ import annotations

from aifactory_hub.domain.gate_views import Person, server_digest, server_view
from aifactory_hub.domain.gates import judge
from aifactory_hub.domain.spawns import SpawnPlan
from aifactory_hub.domain.tenants import Role
from aifactory_hub.domain.verdicts import Question, Target, Verb, Verdict
from aifactory_hub.policy import RulesProvider


def review_start(
    rules: RulesProvider, plan: SpawnPlan, user: str, server: str, *, role: Role | None, image: str, now: float
) -> Verdict:
    """What the rules of now say to a start. Nothing overrides or approves a server: rules for them are hard or
    advisory."""
    loaded = rules.current
    if not loaded.bundle.rules:
        return Verdict(loaded.bundle.digest)
    tenant, profile = plan.tenant, plan.profile
    verb = Verb.START_SERVER
    view = server_view(tenant, Person(user, role), profile, image, verb.value, now, server=server)
    digest = server_digest(tenant.name, user, server, profile.name, image)
    question = Question(verb, Target.SERVER, tenant.name, user, server, digest, view)
    return judge(loaded.bundle, question, loaded.engine.evaluate, now)
