"""Random steps on the engine in the process, checked after each."""

from __future__ import annotations

from collections import Counter

import pytest

from ..support.kube_objects import LARGE, SMALL
from .steps import three_tenants, violations, walk_in_process


# 1003 once found two tickets admitted where the second had displaced the first in the same decision.
@pytest.mark.parametrize("seed", [11, 1003])
async def test_random_steps_break_no_promise(seed: int) -> None:
    walk = await walk_in_process(500, seed)
    assert {"request", "hold", "release", "give-way", "limited", "not admitted"} <= walk.done.keys()


def test_the_checker_sees_what_is_broken() -> None:
    quotas = {name: tenant.quota for name, tenant in three_tenants().items()}
    assert not violations(quotas, {"nlp": Counter({SMALL: 4}), "vision": Counter({SMALL: 2})})
    assert violations(quotas, {"nlp": {SMALL: 4}, "vision": {SMALL: 3}})[0].endswith("more than the 6 that there are")
    assert violations(quotas, {"vision": {SMALL: 4}}) == [f"{SMALL}: vision holds 4, over its limit"]
    assert "keeps for itself" in violations(quotas, {"nlp": {SMALL: 4}, "guests": {SMALL: 1}})[0]
    assert violations(quotas, {"guests": {LARGE: 2}}) == [f"{LARGE}: guests holds 2, over its limit"]
