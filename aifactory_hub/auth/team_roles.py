"""The roles of teams that come and go while the hub runs. JupyterHub itself makes those of the teams at its start."""

from __future__ import annotations

import logging
from typing import Any

from jupyterhub import orm, roles

from ..registry import Phase, Registry, RegistryProvider
from .roles import tenant_roles

log = logging.getLogger(__name__)


class TeamRoles:
    """Listens to changes of the registry. ``db`` is the hub's SQLAlchemy session, which this thread alone uses.

    A role is attached to a hub group, so that members have it from the next time that their groups are read, at their
    sign-in or when their session is renewed. Tokens have their owner's rights or less, whenever they were made.
    """

    def __init__(self, db: Any) -> None:
        self._db = db

    @classmethod
    def begin(cls, provider: RegistryProvider, db: Any) -> None:
        """Follow ``provider``, and have it look at tenants.yaml."""
        followed = cls(db)
        provider.listen(followed.take_away, Phase.REVOKE)
        provider.listen(followed.give, Phase.GRANT)
        provider.begin()

    def take_away(self, old: Registry, new: Registry) -> None:
        """Delete the roles of teams that are gone, and take everybody out of their groups."""
        for tenant in old.tenants.keys() - new.tenants.keys():
            for role in tenant_roles(tenant):
                if orm.Role.find(self._db, role["name"]) is not None:
                    self._change(roles.delete_role, self._db, role["name"])
            self._empty_groups(tenant)

    def give(self, old: Registry, new: Registry) -> None:
        """Make the roles of new teams. Who is in their groups from an earlier team of that name is taken out first."""
        for tenant in new.tenants.keys() - old.tenants.keys():
            self._empty_groups(tenant)
            for role in tenant_roles(tenant):
                self._change(self._make, role)

    def _make(self, role: dict[str, Any]) -> None:
        given = {name: value for name, value in role.items() if name != "groups"}
        roles.create_role(self._db, given)
        for name in role["groups"]:
            group = orm.Group.find(self._db, name)
            if group is None:
                group = orm.Group(name=name)
                self._db.add(group)
                self._db.commit()
            roles.grant_role(self._db, group, rolename=role["name"])

    def _empty_groups(self, tenant: str) -> None:
        names = {name for role in tenant_roles(tenant) for name in role["groups"]}
        for name in sorted(names):
            group = orm.Group.find(self._db, name)
            if group is not None and group.users:
                self._change(self._empty, group)

    def _empty(self, group: Any) -> None:
        group.users = []
        self._db.commit()

    def _change(self, call: Any, *args: Any) -> None:
        try:
            call(*args)
        except Exception:
            # The hub goes on with this session; the change is tried again.
            self._db.rollback()
            raise
