"""Moves aliases: each move is looked at, judged by the site's rules, signed, and never forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ...domain.gate_views import Person
from ...domain.model_views import AskedModel, model_view
from ...domain.models import Alias, AliasMove, ModelFacts, ModelVersion, MoveKind
from ...domain.promotions import may_move
from ...domain.refusals import Refusal, RefusalReason
from ...domain.statements import DECISION, decision
from ...domain.tenants import Role
from ...domain.verdicts import Finding, Need, Question, Target, Verb, Verdict
from ...registry import Registry
from ...signing.oms import statement
from ...store.model_registry import AliasChanged, ModelRegistry
from ...store.statements import DECISION as DECISION_KIND
from ..approvals import ApprovalDesk
from ..executors import reads, uploads
from ..gates import Gates
from .checks import Checks
from .registrar import signed_name
from .signatures import Signatures

_VERBS = {MoveKind.PROMOTE: Verb.PROMOTE, MoveKind.ROLL_BACK: Verb.ROLL_BACK}


@dataclass(frozen=True, slots=True)
class MoveWish:
    """What somebody asks of an alias; ``version`` None for what leaves it where it is. ``role`` is what they are in the
    team, None where nobody knows."""

    model: ModelFacts
    alias: str
    kind: MoveKind
    version: ModelVersion | None
    by: str
    reason: str = ""
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it. ``needs`` says who has to approve first: then nothing has moved, and it may be asked again."""

    alias: Alias
    move: AliasMove | None = None
    needs: tuple[Need, ...] = ()
    warnings: tuple[Finding, ...] = ()


class Aliases:
    """Promotes, rolls back, freezes, thaws and removes."""

    def __init__(
        self,
        registry: ModelRegistry,
        checks: Checks,
        signatures: Signatures,
        gates: Gates,
        get_registry: Callable[[], Registry],
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._checks = checks
        self._signatures = signatures
        self._gates = gates
        self._get_registry = get_registry
        self._clock = clock

    async def lead(self, wish: MoveWish, approvals: ApprovalDesk) -> Moved | Refusal:
        """Let an alias lead to a version, as a promotion or a rollback; or why not.

        All is looked at anew. Where it leads there already nothing happens. Raises BlobsUnavailable and CustodyError:
        then nothing is known, and nothing has moved.
        """
        version = wish.version
        assert version is not None  # both kinds have one
        before = await reads.run(self._registry.alias, wish.model.id, wish.alias)
        if wish.kind is MoveKind.PROMOTE and before.version == version.id and before.frozen is None:
            return Moved(before)
        verification = await uploads.run(self._checks.look, wish.model, version)
        against = may_move(verification, version, before, wish.model.name, back=wish.kind is MoveKind.ROLL_BACK)
        if against is not None:
            return against
        question, verdict = await reads.run(self._judge, wish, version, before)
        if verdict.refusal is not None:
            return verdict.refusal
        approval = None
        if verdict.needs:
            excluded = {version.by, str(question.view["model"]["job"]["owner"])}
            approval = await approvals.granted(question, verdict.needs, excluded=excluded, findings=verdict.findings)
            if approval is None:
                return Moved(before, needs=verdict.needs, warnings=verdict.warnings)
        return await reads.run(self._move, wish, before, approval, verdict)

    async def change(self, wish: MoveWish) -> Moved | Refusal:
        """Freeze, thaw or remove an alias; nothing happens where it is so already. Raises CustodyError."""
        return await reads.run(self._change, wish)

    def _change(self, wish: MoveWish) -> Moved | Refusal:
        before = self._registry.alias(wish.model.id, wish.alias)
        if not before.held or (before.version is None and wish.kind is MoveKind.FREEZE):
            message = f"{wish.model.name} has no alias {wish.alias!r}: promote a version to it first."
            return Refusal(RefusalReason.NEVER_HELD, message, field="alias")
        done = {
            MoveKind.FREEZE: before.frozen is not None,
            MoveKind.THAW: before.frozen is None,
            MoveKind.REMOVE: before.version is None,
        }
        if done[wish.kind]:
            return Moved(before)
        if wish.kind is MoveKind.REMOVE and before.frozen is not None:
            message = f"{wish.model.name}@{wish.alias} is frozen: thaw it first."
            return Refusal(RefusalReason.ALIAS_FROZEN, message, field="alias")
        return self._move(wish, before, None, Verdict())

    def _judge(self, wish: MoveWish, version: ModelVersion, before: Alias) -> tuple[Question, Verdict]:
        facts = self._checks.facts(version)
        assert facts is not None  # a version without its job's record has not passed
        led = None if before.version is None else self._registry.version(before.version)
        verb = _VERBS[wish.kind]
        asked = AskedModel(
            tenant=self._get_registry().tenants[wish.model.tenant],
            person=Person(wish.by, wish.role),
            name=wish.model.name,
            version=version,
            facts=facts,
            alias=wish.alias,
            before=None if led is None else led.number,
        )
        question = Question(
            verb=verb,
            target=Target.MODEL,
            tenant=wish.model.tenant,
            user=wish.by,
            # An approval for one alias is none for another.
            subject=f"{version.id}@{wish.alias}",
            digest=version.digest,
            view=model_view(asked, verb.value, self._clock()),
            title=f"{wish.model.name} {version.number} as {wish.alias}",
        )
        return question, self._gates.review(question)

    def _move(self, wish: MoveWish, before: Alias, approval: str | None, verdict: Verdict) -> Moved | Refusal:
        after = before.version if wish.kind in (MoveKind.FREEZE, MoveKind.THAW) else None
        after = wish.version.id if wish.version is not None else after
        move = AliasMove(
            number=0,
            model=wish.model.id,
            alias=wish.alias,
            kind=wish.kind,
            before=before.version,
            after=after,
            by=wish.by,
            at=self._clock(),
            reason=wish.reason,
            approval=approval,
            bundle=verdict.bundle,
        )
        try:
            added = self._registry.move(before, move, self._draft(wish.model, move, verdict))
        except AliasChanged:
            message = f"{wish.model.name}@{wish.alias} was moved by somebody else meanwhile: look, and ask again."
            return Refusal(RefusalReason.ALIAS_MOVED, message, field="alias")
        return Moved(self._registry.alias(wish.model.id, wish.alias), added, warnings=verdict.warnings)

    def _draft(self, model: ModelFacts, move: AliasMove, verdict: Verdict) -> Any:
        subject = move.after or move.before
        assert subject is not None  # an alias that has never led anywhere is not changed
        version, files = self._registry.version(subject), self._registry.files(subject)
        assert version is not None
        numbers = {each: self._number(each) for each in {move.before, move.after} - {None} if each is not None}
        told = decision(model.name, move, numbers, {"findings": _findings(verdict.findings)})
        about = statement(signed_name(model), files, DECISION, told)
        return self._signatures.draft(DECISION_KIND, version.digest, version.id, about)

    def _number(self, version: str) -> int:
        found = self._registry.version(version)
        assert found is not None  # versions are never removed
        return found.number


def _findings(findings: Collection[Finding]) -> list[dict[str, Any]]:
    return [
        {"rule": each.rule, "severity": each.severity.name.lower(), "message": each.message, "enforced": each.enforced}
        for each in findings
    ]
