"""Registers a version as somebody asks: judged by the site's rules, approved where they say so, then added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.gate_views import Person
from ...domain.model_views import AskedModel, model_view
from ...domain.models import ModelFacts, ModelVersion
from ...domain.refusals import Refusal
from ...domain.statements import BuildFacts
from ...domain.verdicts import Need, Question, Target, Verb
from ...registry import Registry
from ...store import JobRecord
from ..approvals import ApprovalDesk
from ..executors import reads, uploads
from ..gates import Gates
from .registrar import Draught, Registrar, Wish


@dataclass(frozen=True, slots=True)
class Registered:
    """The version; ``new`` is False where it was there before."""

    model: ModelFacts
    version: ModelVersion
    new: bool


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """People have to approve it first: nothing was added, and it may be asked again."""

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """``facts_of_job`` says what is known of how a job came to what it gave back; it blocks."""

    registrar: Registrar
    gates: Gates
    facts_of_job: Callable[[JobRecord, int], BuildFacts]
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]

    async def register(self, wish: Wish, approvals: ApprovalDesk) -> Registered | NeedsApproval | Refusal:
        """Add the version, or say why not. Raises BlobsUnavailable and CustodyError: then nothing was added."""
        draught = await uploads.run(self.registrar.plan, wish)
        if isinstance(draught, Refusal):
            return draught
        facts = await reads.run(self.facts_of_job, wish.job, wish.job.attempt)
        question = self._question(wish, draught, facts)
        verdict = await reads.run(self.gates.review, question)
        if verdict.refusal is not None:
            return verdict.refusal
        if verdict.needs:
            granted = await approvals.granted(question, verdict.needs, findings=verdict.findings)
            if granted is None:
                return NeedsApproval(verdict.needs)
        added = await uploads.run(self.registrar.register, draught, facts)
        return added if isinstance(added, Refusal) else Registered(draught.model, *added)

    def _question(self, wish: Wish, draught: Draught, facts: BuildFacts) -> Question:
        name, tenant = draught.model.name, self.get_registry().tenants[wish.job.tenant]
        asked = AskedModel(tenant, Person(wish.by, wish.role), name, draught.version, facts)
        return Question(
            verb=Verb.REGISTER,
            target=Target.MODEL,
            tenant=wish.job.tenant,
            user=wish.by,
            subject=register_subject(name, wish.job.id),
            title=f"register {name} from job {wish.job.id}",
            digest=draught.version.digest,
            view=model_view(asked, Verb.REGISTER.value, self.clock()),
        )


def register_subject(model: str, job: str) -> str:
    """What an approval of a registration is about. A model has no id of its own before its first version."""
    return f"{model}@{job}"
