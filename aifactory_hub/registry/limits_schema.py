"""The most that a team may have on the host, as ``tenants.yaml`` says it."""

from __future__ import annotations

from .scalars import Cpu, Pods, Size
from .section import Section, key


class LimitsSection(Section):
    cpu: Cpu | None = key("Requested CPU of all of its pods together.", "64", default=None)
    memory: Size | None = key("Requested memory of all of its pods together.", "512Gi", default=None)
    pods: Pods | None = key("How many pods it may have at once.", "100", default=None)
    storage: Size | None = key("Sum of all volume claims.", "10Ti", default=None)
    claims: Pods | None = key("How many volume claims it may have.", "200", default=None)
    disk: Size | None = key(
        "Disk of nodes that all of its pods together may fill (ephemeral storage).", "1Ti", default=None
    )
    secrets: Pods | None = key("How many Secrets of its pods the host keeps.", "2000", default=None)
    configmaps: Pods | None = key("How many ConfigMaps of its pods the host keeps.", "2000", default=None)
    services: Pods | None = key("How many Services it may have.", "200", default=None)
