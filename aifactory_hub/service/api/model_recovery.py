"""Versions of models that the hub's administrators take back into use."""

from __future__ import annotations

from collections.abc import Callable

from ...domain.models import ModelFacts, ModelVersion
from ...domain.promotions import Verification
from ...domain.refusals import Refusal
from ...signing.keys import CustodyError
from ..errors import ServiceError, bad_field, from_refusal, unavailable
from ..executors import uploads
from ..model_answer_types import VerificationAnswer
from ..model_request_types import Restoration
from ..models.signatures import custody_words
from ..request_types import TenantQuery
from .base import run_sync
from .model_answers import verification_answer
from .models import OfModels
from .operations import operation

Restore = Callable[[ModelFacts, ModelVersion, str, str], Verification | Refusal]


class Restored(OfModels):
    """What both have in common."""

    async def restore(self, restore: Restore, model: str, version: str) -> None:
        """Answer with what was found of the version. Raises ServiceError."""
        caller = await self.administrator(fresh=True)
        tenant = self.query(TenantQuery).tenant
        if tenant is None:
            raise bad_field("tenant", "Name the model's team: ?tenant=<team>.")
        asked = await self.body(Restoration, caller.name)
        facts: ModelFacts | None = await run_sync(self.context.models.registry.find, tenant, model)
        if facts is None:
            raise ServiceError(404, "unknown-model", f"Team {tenant} has no model {model!r}.", field="model")
        found = await self.version_for(facts, version)
        try:
            done = await uploads.run(restore, facts, found, caller.name, asked.reason)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        if isinstance(done, Refusal):
            raise from_refusal(done)
        found = await self.version_for(facts, str(found.number))
        self.answer(verification_answer(await self.summary(facts), found, done, self.context.clock()))


class Release(Restored):
    """Out of quarantine."""

    @operation(
        "releaseModelVersion",
        "Let people use a quarantined version again whose bytes are back; all of it is looked at first.",
        answer=VerificationAnswer,
        query=TenantQuery,
        body=Restoration,
    )
    async def post(self, model: str, version: str) -> None:
        """For the hub's administrators. Again, nothing happens."""
        await self.restore(self.context.models.recovery.release, model, version)


class SignAnew(Restored):
    """After a key was revoked."""

    @operation(
        "signModelVersion",
        "Sign a version with the key in use because the one that signed it was revoked; all of it is looked at first.",
        answer=VerificationAnswer,
        query=TenantQuery,
        body=Restoration,
    )
    async def post(self, model: str, version: str) -> None:
        """For the hub's administrators. Nothing happens where its signatures are good."""
        await self.restore(self.context.models.recovery.sign_anew, model, version)
