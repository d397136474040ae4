"""What Git hosts sign with, and what the service signs in with at them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from ...git import Remote, check_remote
from ...registry.model import Registry
from ...store import FileStore
from ...store.triggers import Trigger

# How long the secret before is good after a change, in seconds.
OVERLAP = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class TriggerKeys:
    """Secrets are derived from the service's key, so none is stored; tokens are files of the service's alone.

    ``protocols`` other than https are for tests.
    """

    files: FileStore
    get_registry: Callable[[], Registry]
    protocols: tuple[str, ...] = ("https",)

    def secret(self, trigger: Trigger, generation: int | None = None) -> str:
        """What the host is to sign with: its present secret, or that of a generation before.

        In the form of Standard Webhooks, which hosts that take any text take too.
        """
        said = f"{trigger.id}:{trigger.generation if generation is None else generation}"
        made = hmac.new(self.files.secret("trigger-hooks"), said.encode(), hashlib.sha256).digest()
        return "whsec_" + base64.b64encode(made).decode()

    def good_secrets(self, trigger: Trigger, *, now: float) -> tuple[str, ...]:
        """The present secret, and for a day after a change also the one before."""
        current = (self.secret(trigger),)
        if trigger.rotated_at is None or now - trigger.rotated_at > OVERLAP:
            return current
        return (*current, self.secret(trigger, trigger.generation - 1))

    def keep(self, trigger_id: str, *, token: str | None, status_token: str | None) -> None:
        """Keep what signs in for the repository, and for statuses; None removes it. Blocks."""
        self.files.keep_credential(trigger_id, token)
        self.files.keep_credential(_for_statuses(trigger_id), status_token)

    def status_token(self, trigger: Trigger) -> str | None:
        """What the host is told with how commits stand; None where it is not told. Blocks."""
        return self.files.credential(_for_statuses(trigger.id)) if trigger.tells else None

    def remote(self, trigger: Trigger) -> Remote:
        """The repository, if the site still allows it. Raises GitRefused; blocks."""
        git = self.get_registry().git
        token = self.files.credential(trigger.id) if trigger.has_token else None
        return check_remote(
            trigger.url,
            git.hosts,
            folders=git.folders,
            user=trigger.username,
            token=token or "",
            ca_file=git.ca_file,
            protocols=self.protocols,
        )


def _for_statuses(trigger_id: str) -> str:
    return f"status{trigger_id}"
