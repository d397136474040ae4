"""What all rendered objects have in common."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

# Where the hub and the job service live on the host, and as whom.
HUB_NAMESPACE = "aifactory-system"
HUB_ACCOUNT = "aifactory-hub"
