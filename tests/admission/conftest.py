"""The admissions that the contract's tests check, and how their tenants can be set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from aifactory_hub.admission import InProcessAdmission, KueueAdmission
from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.quota import Quota

from ..support.kube_objects import LARGE, SMALL
from ..support.real_cluster import as_admin, own_queues
from . import contract
from .contract import TENANTS, Engine


@pytest.fixture(params=["inprocess", pytest.param("kueue", marks=pytest.mark.cluster)])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param == "inprocess":
        yield Engine(InProcessAdmission(TENANTS, reclaim=contract.RECLAIM), 0)
        return
    async with as_admin() as host, own_queues(host, TENANTS, contract.RECLAIM) as tenants:
        admission = KueueAdmission(host, tenants, "contract")
        yield Engine(admission, 1.1)
        await admission.close()


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of vision's three, nlp may borrow one; nobody of vision may have more than two."""
    quota = Quota({SMALL: 3, LARGE: 1}, {}, {SMALL: 1}, {SMALL: 2})
    monkeypatch.setitem(TENANTS, "vision", replace(TENANTS["vision"], quota=quota))


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks of nlp borrow, too."""
    quota = replace(TENANTS["nlp"].quota, notebooks_borrow=True)
    monkeypatch.setitem(TENANTS, "nlp", replace(TENANTS["nlp"], quota=quota))


@pytest.fixture
def waiting_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "RECLAIM", Reclaim.LOWER_PRIORITY)
