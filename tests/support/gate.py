"""The gate before admission, as hub and service have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aifactory_hub.admission import Admission, GatedAdmission, MenuPolicy, TicketPolicy
from aifactory_hub.domain.tenants import Tenant


def gated(admission: Admission, tenants: Callable[[], Mapping[str, Tenant]], *policies: TicketPolicy) -> GatedAdmission:
    """``admission`` behind the gate; ``policies`` are asked after the product's own."""
    return GatedAdmission(admission, [MenuPolicy(tenants), *policies])
