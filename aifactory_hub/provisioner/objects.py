"""The objects of one team on the host, by the stage in which they are made. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from .. import constants
from ..domain.gates import Rule
from ..domain.provisioning import APPLIED, Stage
from ..domain.tenants import Tenant
from ..registry.changes import ANNOTATION_GRANTED, LABEL_REGISTRY, marked
from ..registry.manifests import HUB_ACCOUNT, Manifest
from ..registry.model import Registry
from ..registry.render import tenant_objects
from ..registry.render_provisioner import (
    HUB_TEAM_ROLE,
    LABEL_PROVISIONED,
    PROVISIONER,
    PROVISIONER_TEAM_ROLE,
    VCLUSTER_ROLE,
    binding,
)
from ..registry.rule_objects import rule_objects

# On a queue that the provisioner holds: why.
ANNOTATION_DOOR = f"{constants.PREFIX}/door"
SHUT, DRAINING = "shut", "draining"
_STOP = {SHUT: "Hold", DRAINING: "HoldAndDrain"}

_QUEUES = ("Cohort", "ClusterQueue", "LocalQueue")


@dataclass(frozen=True, slots=True)
class TeamObjects:
    """Marked objects by stage, each in an order in which they can be applied."""

    by_stage: Mapping[Stage, Sequence[Manifest]]

    def of(self, stage: Stage) -> Sequence[Manifest]:
        return self.by_stage.get(stage, ())


def team_objects(
    registry: Registry, tenant: Tenant, chart: Sequence[Manifest], rules: Sequence[Rule], follows: str
) -> TeamObjects:
    """All that follows from the registry and from vCluster's chart for the tenant.

    ``follows`` says which registry that is. The hub's role in the namespace is bound, not written. All else is what
    ``tenants apply`` makes, so each may go on where the other ended.
    """
    namespace = tenant.vcluster.namespace
    common = [
        *(each for each in tenant_objects(registry, tenant) if each["kind"] not in ("Role", "RoleBinding")),
        *rule_objects(registry.hub, [tenant], rules),
    ]
    account = f"vc-{tenant.vcluster.name}"
    self_bound = binding("RoleBinding", PROVISIONER, "ClusterRole", PROVISIONER_TEAM_ROLE, PROVISIONER, namespace)
    syncer = binding("RoleBinding", VCLUSTER_ROLE, "ClusterRole", VCLUSTER_ROLE, account, namespace, namespace)
    hub = binding("RoleBinding", HUB_TEAM_ROLE, "ClusterRole", HUB_TEAM_ROLE, HUB_ACCOUNT, namespace)
    granted = tenant.name in registry.granted
    shared = [_shared(each, registry.hub, follows, granted=granted) for each in common]
    walls = [each for each in shared if each["kind"] not in _QUEUES]
    first, others = walls[0], walls[1:]

    def own(manifests: Sequence[Manifest]) -> list[Manifest]:
        return [_provisioned(each, registry.hub, follows) for each in manifests]

    return TeamObjects(
        {
            Stage.WALLS: [first, *own([self_bound]), *others],
            Stage.QUEUE: [each for each in shared if each["kind"] in _QUEUES],
            Stage.CONTROL_PLANE: own([syncer, *chart]),
            Stage.DOOR: own([hub]),
        }
    )


def _shared(manifest: Manifest, hub: str, follows: str, *, granted: bool) -> Manifest:
    """Marked as `tenants apply` marks it; of a ``granted`` team also as one of which tenants.yaml need not know."""
    made = marked(manifest, hub, follows)
    if granted:
        made["metadata"]["annotations"][ANNOTATION_GRANTED] = "true"
    return made


def _provisioned(manifest: Manifest, hub: str, follows: str) -> Manifest:
    """Marked as the provisioner's: `tenants apply` does not know it and must not take it for a leftover."""
    made = marked(manifest, hub, follows)
    labels = made["metadata"]["labels"]
    del labels[LABEL_REGISTRY]
    labels[LABEL_PROVISIONED] = hub
    return made


def with_door(manifest: Manifest, why: str) -> Manifest:
    """A ClusterQueue that admits nothing, with the mark that says why; all else, and with "" for ``why``, as it is."""
    if not why or manifest["kind"] != "ClusterQueue":
        return manifest
    made = deepcopy(manifest)
    made["spec"]["stopPolicy"] = _STOP[why]
    made["metadata"].setdefault("annotations", {})[ANNOTATION_DOOR] = why
    return made


def with_replicas(manifest: Manifest, replicas: int, asleep_since: float | None = None) -> Manifest:
    """The control plane scaled; any other object as it is."""
    if manifest["kind"] != "StatefulSet":
        return manifest
    made = deepcopy(manifest)
    made["spec"]["replicas"] = replicas
    if asleep_since is not None:
        made["metadata"].setdefault("annotations", {})[constants.ANNOTATION_ASLEEP] = f"{asleep_since:.0f}"
    return made


def stages() -> tuple[Stage, ...]:
    """The stages that have objects, in their order."""
    return APPLIED
