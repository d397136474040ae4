"""What the provisioner writes down of each team, in a ConfigMap: for pages, doctor and people."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

from .. import constants
from ..clusters import HostObjects, KubeApi
from ..domain.provisioning import Stage
from ..domain.team_records import TeamRecord, record_of
from ..registry.manifests import HUB_NAMESPACE, Manifest
from ..registry.render_provisioner import LABEL_PROVISIONED

log = logging.getLogger(__name__)


def record_name(team: str) -> str:
    """The name of the team's ConfigMap."""
    return f"aifactory-team-{team}"


def record_manifest(hub: str, team: str, record: TeamRecord) -> Manifest:
    """The ConfigMap of a record."""
    state = {key: value for key, value in asdict(record).items() if key != "journal"}
    lines = "\n".join(json.dumps(asdict(entry)) for entry in record.journal)
    labels = {LABEL_PROVISIONED: hub, constants.LABEL_TENANT: team}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": record_name(team), "namespace": HUB_NAMESPACE, "labels": labels},
        "data": {"state": json.dumps(state, sort_keys=True), "journal": lines},
    }


async def all_records(api: KubeApi, hub: str) -> dict[str, TeamRecord]:
    """The records of all teams of the hub, by name. Raises ApiError and ApiUnreachable."""
    path = f"/api/v1/namespaces/{HUB_NAMESPACE}/configmaps"
    selector = f"{LABEL_PROVISIONED}={hub},{constants.LABEL_TENANT}"
    items = (await api.get(path, {"labelSelector": selector})).get("items") or ()
    found = ((each["metadata"]["labels"][constants.LABEL_TENANT], record_of(each)) for each in items)
    return {name: record for name, record in found if record is not None}


class Records:
    """The records of all teams of one hub. Reads once a team, and writes what changed."""

    def __init__(self, host: HostObjects, hub: str) -> None:
        self._host = host
        self._hub = hub
        self._written: dict[str, TeamRecord] = {}

    async def of(self, team: str, now: float) -> TeamRecord:
        """The team's record, a new one where there is none that can be read. Raises ApiError and ApiUnreachable."""
        if team not in self._written:
            found = await self._host.get("ConfigMap", HUB_NAMESPACE, record_name(team))
            record = None if found is None else record_of(found)
            self._written[team] = record or TeamRecord(Stage.WALLS, now, begun=now, last_used=now)
        return self._written[team]

    async def write(self, team: str, record: TeamRecord) -> None:
        """Store it if it is another one. Raises ApiError and ApiUnreachable."""
        if self._written.get(team) == record:
            return
        await self._host.apply(record_manifest(self._hub, team, record), dry_run=False)
        self._written[team] = record

    def known(self) -> dict[str, TeamRecord]:
        """What was read or written of each team."""
        return dict(self._written)

    def forget(self) -> None:
        """Read all of them anew: another replica may have written meanwhile."""
        self._written.clear()
