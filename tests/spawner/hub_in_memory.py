"""JupyterHub's own users, database and spawn flow, in memory, around the spawner under test."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from jupyterhub import orm, roles, scopes
from jupyterhub.objects import Hub
from jupyterhub.user import User
from traitlets.config import Config

from aifactory_hub.admission import Admission, InProcessAdmission, TicketPolicy
from aifactory_hub.auth.memberships import StoredSession
from aifactory_hub.auth.roles import custom_scopes, load_roles
from aifactory_hub.domain.tenants import Role, Tenant, hub_groups
from aifactory_hub.registry import (
    Addresses,
    ClusterConfig,
    IdentityConfig,
    JobsConfig,
    NotebookConfig,
    Registry,
    RegistryProvider,
)
from aifactory_profiles import Device
from aifactory_spawner import TenantKubeSpawner
from aifactory_spawner.host_cluster import HostCluster
from aifactory_spawner.hub_database import HubDatabase
from aifactory_spawner.hub_process import HubProcess

from ..support.fake_vcluster import FakeCluster
from ..support.gate import gated
from ..support.tenants import make_catalogue, make_tenant

CHOICE = {"tenant": "nlp", "profile": "mig-1g.10gb"}


class Person(User):  # type: ignore[misc] # JupyterHub has no types
    """A hub user whose memberships are set, and whose server is up as soon as its pod is."""

    memberships: dict[str, Role] = {}

    async def get_auth_state(self) -> dict[str, Any]:
        kept = StoredSession("1", "https://idp", self.memberships, resolved_at=0).to_auth_state()
        return {"access_token": "a-token-of-the-provider", "aifactory": kept}

    async def _wait_up(self, spawner: Any) -> Any:
        spawner._start_pending = False
        return spawner

    def named(self, server: str) -> Any:
        """A named server that was never started."""
        if hasattr(User, "get_or_create_spawner"):
            return self.get_or_create_spawner(server, "")
        return self.get_spawner(server)


async def start(person: Person, server: str = "", **choice: str) -> Any:
    """Start a server on a small slice of nlp, or on what ``choice`` says otherwise."""
    await person.spawn(server, options={**CHOICE, **choice})
    return person.spawners[server]


class NoStatistics:
    def incr(self, name: str) -> None:
        pass

    def timing(self, name: str, milliseconds: float) -> None:
        pass


@dataclass
class HubInMemory:
    """``restart`` gives what a hub process finds after its predecessor died: the database, and the cluster."""

    tenants: dict[str, Tenant]
    cluster: FakeCluster
    admission: Admission
    db: Any
    start_timeout: int = 5
    people: dict[str, Person] = field(default_factory=dict)
    policies: list[TicketPolicy] = field(default_factory=list)
    # What the site's jupyterhub_config.py says.
    site: Config = field(default_factory=Config)

    def __post_init__(self) -> None:
        self.provider = RegistryProvider(make_registry(self.tenants, self.start_timeout))
        self._share()

    @property
    def registry(self) -> Registry:
        return self.provider.registry

    @registry.setter
    def registry(self, registry: Registry) -> None:
        """As tenants.yaml changes while the hub runs."""
        self.provider.take(registry)

    def person(self, name: str, **memberships: Role) -> Person:
        orm_user = orm.User(name=name)
        self.db.add(orm_user)
        self.db.commit()
        roles.assign_default_roles(self.db, orm_user)
        user = self._wrap(orm_user, memberships)
        user.sync_groups(hub_groups(memberships))
        return user

    def restart(self) -> None:
        """All that was in memory is forgotten."""
        for person in self.people.values():
            for spawner in person.spawners.values():
                spawner.stop_polling()
        self._share()
        for name, person in list(self.people.items()):
            self.people[name] = self._wrap(person.orm_user, person.memberships)

    async def close(self) -> None:
        for person in self.people.values():
            for spawner in list(person.spawners.values()):
                spawner.stop_polling()

    def _wrap(self, orm_user: orm.User, memberships: dict[str, Role]) -> Person:
        config = deepcopy(self.site)
        config.TenantKubeSpawner.get_registry = self.provider.current
        config.TenantKubeSpawner.registry_provider = self.provider
        settings = {
            "spawner_class": TenantKubeSpawner,
            "config": config,
            "hub": Hub(ip="10.0.0.1", port=8081, base_url="/hub/"),
            "allow_named_servers": True,
            "internal_ssl": False,
            # JupyterHub 5 reports there, 6 does not.
            "statsd": NoStatistics(),
        }
        person = Person(orm_user, settings)
        person.__dict__["memberships"] = memberships
        self.people[orm_user.name] = person
        return person

    def _share(self) -> None:
        fake: Any = self.cluster
        admission = gated(self.admission, lambda: self.registry.tenants, *self.policies)
        self.host_cluster = HostCluster(self.provider, fake, fake.watch, fake, admission, reach=fake.reach)
        TenantKubeSpawner.hub_process = self.process = HubProcess(self.host_cluster, HubDatabase(self.db))


def make_hub(*, start_timeout: int = 5, **quota: dict[Device, int]) -> HubInMemory:
    """Two tenants, nlp and vision, with these quotas."""
    tenants = {name: make_tenant(name, quota=quota.get(name)) for name in ("nlp", "vision")}
    return HubInMemory(
        tenants, FakeCluster(tenants), InProcessAdmission(tenants), make_database(tenants), start_timeout
    )


def make_registry(tenants: dict[str, Tenant], start_timeout: int) -> Registry:
    return Registry(
        source="tenants.yaml",
        hub="test",
        cluster=ClusterConfig("host", ("h100-80gb",), {}, simulated=True),
        identity=IdentityConfig("https://idp", "hub"),
        addresses=Addresses("http://hub.example/hub/api", "http://hub.example/services/aifactory/"),
        notebook=NotebookConfig("notebook:1", storage="3Gi", storage_class="fast", start_timeout=start_timeout),
        jobs=JobsConfig("notebook:1"),
        catalogue=make_catalogue(),
        tenants=tenants,
    )


def make_database(tenants: dict[str, Tenant]) -> Any:
    db = orm.new_session_factory("sqlite:///:memory:")()
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    if not set(custom_scopes()) <= set(scopes.scope_definitions):
        scopes.define_custom_scopes(custom_scopes())
    db.add(orm.OAuthClient(identifier="jupyterhub"))
    for role in load_roles(tenants):
        roles.create_role(db, {name: value for name, value in role.items() if name not in ("groups", "services")})
        for group in role.get("groups", []):
            entity = orm.Group.find(db, group) or orm.Group(name=group)
            db.add(entity)
            db.commit()
            roles.grant_role(db, entity, orm.Role.find(db, role["name"]))
    db.commit()
    return db
