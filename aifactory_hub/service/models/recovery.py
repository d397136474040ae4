"""Takes a version back into use: out of quarantine, or signed anew after its key was revoked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.models import ModelFacts, ModelVersion, VersionState
from ...domain.promotions import Verification, only_revoked, refused
from ...domain.refusals import Refusal, RefusalReason
from ...store.model_registry import ModelRegistry
from .checks import Checks
from .registrar import signed_statements
from .signatures import Signatures


@dataclass(frozen=True, slots=True)
class Recovery:
    """For administrators. Methods block, for about a second a gigabyte, and look at every byte first.

    They raise BlobsUnavailable and CustodyError: then nothing is known, and nothing has changed.
    """

    registry: ModelRegistry
    checks: Checks
    signatures: Signatures
    clock: Callable[[], float]

    def release(self, model: ModelFacts, version: ModelVersion, by: str, reason: str) -> Verification | Refusal:
        """Let people use a version again whose bytes are back. Nothing happens where it is not quarantined."""
        found = self.checks.look(model, version)
        if version.state is not VersionState.QUARANTINED:
            return found
        against = refused(found, version, model.name)
        if against is None:
            draft = self.checks.decision("release", model, version, reason, by=by)
            self.registry.set_state(version.id, VersionState.REGISTERED, "", draft, self.clock())
        return against or found

    def sign_anew(self, model: ModelFacts, version: ModelVersion, by: str, reason: str) -> Verification | Refusal:
        """Sign a version with the key in use because the one that signed it was revoked.

        Nothing happens where its signatures are good. All else that is wrong with the version is a refusal: what is
        signed follows from the bytes and from the service's records, never from what the revoked key has signed.
        """
        found = self.checks.look(model, version)
        if found.ok:
            return found
        if not only_revoked(found):
            return refused(found, version, model.name) or found
        facts = self.checks.facts(version)
        if facts is None:
            message = f"There is no record of job {version.job} any more: what was made of it can't be signed anew."
            return Refusal(RefusalReason.NOT_VERIFIED, message, field="provenance.job")
        drafts = signed_statements(self.signatures, model, version, self.registry.files(version.id), facts)
        drafts.append(self.checks.decision("sign-anew", model, version, reason, by=by))
        self.registry.add_statements(drafts, self.clock())
        return self.checks.look(model, version)
