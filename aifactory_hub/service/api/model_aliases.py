"""Aliases of models: where they lead, and what happened to them."""

from __future__ import annotations

from ... import constants
from ...domain.models import ModelFacts, MoveKind, alias_problem
from ...domain.refusals import Refusal
from ...signing.keys import CustodyError
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, from_refusal, unavailable
from ..model_answer_types import AliasHistory, MoveAnswer
from ..model_request_types import AliasChange, Promotion, RemovalQuery, Rollback
from ..models.aliases import Moved, MoveWish
from ..models.signatures import custody_words
from ..request_types import TenantQuery
from .base import run_sync
from .model_answers import alias_answer, move_facts, moved_answer
from .models import OfModels
from .operations import operation


class _Moving(OfModels):
    async def moving(self, name: str, alias: str, asked: str | None) -> tuple[Caller, ModelFacts]:
        """Who asks and of which model, for a change of this alias. Raises ServiceError."""
        caller = await self.caller(fresh=True)
        model = await self.model_for(caller, name, asked, constants.SCOPE_SUBMIT)
        if (problem := alias_problem(alias)) is not None:
            raise bad_field("alias", f"alias is {alias!r}: {problem}.")
        return caller, model

    async def lead(self, wish: MoveWish) -> None:
        """Answer with what came of a promotion or rollback. Raises ServiceError; 503 where nothing can be known."""
        try:
            moved = await self.context.models.aliases.lead(wish, self.context.approvals)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        await self.answer_moved(moved)

    async def change(self, wish: MoveWish) -> None:
        """Answer with what came of another change. Raises ServiceError."""
        try:
            moved = await self.context.models.aliases.change(wish)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        await self.answer_moved(moved)

    async def answer_moved(self, moved: Moved | Refusal) -> None:
        """200, or 202 for what has to be approved first."""
        if isinstance(moved, Refusal):
            raise from_refusal(moved)
        named = {moved.alias.version, moved.alias.earlier}
        named |= set() if moved.move is None else {moved.move.before, moved.move.after}
        numbers = await run_sync(self.context.models.registry.numbers, {each for each in named if each is not None})
        self.answer(moved_answer(moved, numbers), 202 if moved.needs else 200)


class AliasOne(_Moving):
    """One alias."""

    @operation("getAlias", "Where an alias leads, and all that happened to it.", answer=AliasHistory, query=TenantQuery)
    async def get(self, model: str, alias: str) -> None:
        """The newest first."""
        asked = self.query(TenantQuery).tenant
        facts = await self.model_for(await self.caller(), model, asked, constants.SCOPE_READ)
        summary = await self.summary(facts)
        moves = await run_sync(self.context.models.registry.moves, facts.id, alias)
        if not moves:
            message = f"Model {facts.name} has no alias {alias!r}."
            raise ServiceError(404, "unknown-alias", message, field="alias")
        now = next(each for each in summary.aliases if each.name == alias)
        numbers = summary.numbers
        self.answer(
            {
                "alias": alias_answer(now, numbers),
                "moves": [move_facts(move, numbers) for move in reversed(moves)],
            }
        )

    @operation("removeAlias", "Let an alias lead nowhere; its history stays.", answer=MoveAnswer, query=RemovalQuery)
    async def delete(self, model: str, alias: str) -> None:
        """Again, nothing happens."""
        asked = self.query(RemovalQuery)
        caller, facts = await self.moving(model, alias, asked.tenant)
        await self.change(MoveWish(facts, alias, MoveKind.REMOVE, None, caller.name, asked.reason))


class Promote(_Moving):
    """Lets an alias lead to a version."""

    @operation(
        "promoteModel",
        "Let an alias lead to a version, once all of it was looked at anew; 202 while people have to approve it.",
        answer=MoveAnswer,
        body=Promotion,
        query=TenantQuery,
        statuses=(200, 202),
    )
    async def post(self, model: str, alias: str) -> None:
        """Where it leads there already nothing happens."""
        caller, facts = await self.moving(model, alias, self.query(TenantQuery).tenant)
        asked = await self.body(Promotion, caller.name)
        version = await self.version_for(facts, asked.version)
        role = caller.roles.get(facts.tenant)
        await self.lead(MoveWish(facts, alias, MoveKind.PROMOTE, version, caller.name, asked.reason, role))


class RollBack(_Moving):
    """Lets an alias lead to a version that it has led to before."""

    @operation(
        "rollBackModel",
        "Let an alias lead to a version again that it has led to, and freeze it there until somebody thaws it.",
        answer=MoveAnswer,
        body=Rollback,
        query=TenantQuery,
        statuses=(200, 202),
    )
    async def post(self, model: str, alias: str) -> None:
        """Without a version, to the one before the present one."""
        caller, facts = await self.moving(model, alias, self.query(TenantQuery).tenant)
        asked = await self.body(Rollback, caller.name)
        text = asked.version or await self._back(facts, alias)
        version = await self.version_for(facts, text)
        role = caller.roles.get(facts.tenant)
        await self.lead(MoveWish(facts, alias, MoveKind.ROLL_BACK, version, caller.name, asked.reason, role))

    async def _back(self, model: ModelFacts, alias: str) -> str:
        registry = self.context.models.registry
        now = await run_sync(registry.alias, model.id, alias)
        if now.earlier is None:
            message = f"{model.name}@{alias} has led to no version before the present one."
            raise ServiceError(409, "never-held", message, field="alias")
        return str((await run_sync(registry.numbers, {now.earlier}))[now.earlier])


class Freeze(_Moving):
    """Holds an alias where it is."""

    @operation(
        "freezeAlias",
        "Let nobody promote an alias until it is thawed.",
        answer=MoveAnswer,
        body=AliasChange,
        query=TenantQuery,
    )
    async def post(self, model: str, alias: str) -> None:
        """Again, nothing happens."""
        caller, facts = await self.moving(model, alias, self.query(TenantQuery).tenant)
        asked = await self.body(AliasChange, caller.name)
        await self.change(MoveWish(facts, alias, MoveKind.FREEZE, None, caller.name, asked.reason))


class Thaw(_Moving):
    """Lets an alias move again."""

    @operation(
        "thawAlias", "Let a frozen alias be promoted again.", answer=MoveAnswer, body=AliasChange, query=TenantQuery
    )
    async def post(self, model: str, alias: str) -> None:
        """Again, nothing happens."""
        caller, facts = await self.moving(model, alias, self.query(TenantQuery).tenant)
        asked = await self.body(AliasChange, caller.name)
        await self.change(MoveWish(facts, alias, MoveKind.THAW, None, caller.name, asked.reason))
