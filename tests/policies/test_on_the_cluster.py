"""The walls between tenants, tried on the real cluster: every attack is refused, every connection is as it should be.

``make e2e-attacks`` prints the same as a table.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.access import access
from tests.cluster.settings import NODE
from tests.e2e.attacks import ATTACKS
from tests.e2e.cluster import Cluster
from tests.e2e.outcome import shortened
from tests.e2e.reach import reach_table
from tests.e2e.rig import TENANTS_FILE, apply_registry
from tests.e2e.walls import Walls, walls

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def tried() -> Iterator[Walls]:
    found = access()
    cluster = Cluster(found.kubectl, found.admin_kubeconfig, NODE)  # type: ignore[arg-type]
    apply_registry(cluster, TENANTS_FILE)
    with walls(cluster, found) as made:
        yield made


# In order: some look at the pod that an earlier one made.
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_every_attack_is_refused(tried: Walls, attack: object) -> None:
    wrong = [f"{each.attack}: {shortened(each.words)}" for each in attack(tried) if not each.good]  # type: ignore[operator]
    assert not wrong


def test_every_connection_comes_through_or_not_as_it_should(tried: Walls) -> None:
    assert not [each.line() for each in reach_table(tried) if not each.good]
