"""Deployments in the database: what was asked, and each release."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.deployment_usage import Minute
from ..domain.deployments import Deployment, Framework, Release, ReleaseCause, ReleaseState, ServingPlan
from .database import writing
from .deployment_tables import DeploymentRow, ReleaseRequestsRow, ReleaseRow

_DEPLOYMENT = tuple(DeploymentRow.__table__.c[f.name] for f in fields(Deployment))
_RELEASE = tuple(ReleaseRow.__table__.c[f.name] for f in fields(Release))
_LIVE = tuple(state.value for state in ReleaseState if not state.final)
_AT_ONCE = 500


def new_deployment_id() -> str:
    return f"d{secrets.token_hex(8)}"


def new_release_id() -> str:
    return f"e{secrets.token_hex(8)}"


class Deployments:
    """Methods block for a moment and are safe in any thread; one process changes releases. Times are arguments."""

    def __init__(self, db: Engine) -> None:
        self.db = db

    def find(self, tenant: str, name: str) -> Deployment | None:
        """The team's deployment of this name."""
        return self._one(DeploymentRow.tenant == tenant, DeploymentRow.name == name)

    def get(self, deployment: str) -> Deployment | None:
        """The deployment of this id."""
        return self._one(DeploymentRow.id == deployment)

    def of_tenant(self, tenant: str) -> list[Deployment]:
        """The team's, by name, those that were stopped too."""
        return self._some(DeploymentRow.tenant == tenant)

    def going_on(self) -> list[Deployment]:
        """Those of all teams that go on, or of which something is left on the cluster."""
        left = select(ReleaseRow.deployment).where(ReleaseRow.cleaned_at.is_(None))
        return self._some(DeploymentRow.stopped_at.is_(None) | DeploymentRow.id.in_(left))

    def put(self, deployment: Deployment) -> Deployment:
        """Store what is asked of a name; a deployment that the team has of that name keeps its id and its history."""
        values = _deployment_values(deployment)
        with writing(self.db) as connection:
            where = (DeploymentRow.tenant == deployment.tenant, DeploymentRow.name == deployment.name)
            row = connection.execute(select(*_DEPLOYMENT).where(*where)).one_or_none()
            if row is None:
                connection.execute(insert(DeploymentRow).values(**values))
                return deployment
            kept = {"id": row.id, "created_at": row.created_at}
            connection.execute(update(DeploymentRow).where(*where).values(**{**values, **kept}))
        return replace(deployment, **kept)

    def stop(self, deployment: str, at: float) -> None:
        """Let it go on no more."""
        query = update(DeploymentRow).where(DeploymentRow.id == deployment, DeploymentRow.stopped_at.is_(None))
        with writing(self.db) as connection:
            connection.execute(query.values(stopped_at=at))

    def note_problem(self, deployment: str, problem: str) -> None:
        """Say why no release is made; "" once one may be."""
        query = update(DeploymentRow).where(DeploymentRow.id == deployment, DeploymentRow.problem != problem)
        with writing(self.db) as connection:
            connection.execute(query.values(problem=problem))

    def add_release(self, release: Release, changes: Mapping[str, Any] | None = None) -> Release:
        """Add a release with the next number of its deployment; ``changes`` are of the deployment's wish, in the same
        transaction."""
        with writing(self.db) as connection:
            last = select(func.max(ReleaseRow.number)).where(ReleaseRow.deployment == release.deployment)
            added = replace(release, number=int(connection.scalar(last) or 0) + 1)
            connection.execute(insert(ReleaseRow).values(**_release_values(added)))
            if changes:
                where = DeploymentRow.id == release.deployment
                connection.execute(update(DeploymentRow).where(where).values(**_plain(changes)))
        return added

    def release(self, release: str) -> Release | None:
        """The release of this id."""
        with self.db.connect() as connection:
            row = connection.execute(select(*_RELEASE).where(ReleaseRow.id == release)).one_or_none()
        return None if row is None else _release_of(row._mapping)

    def releases(self, deployments: Collection[str], *, live: bool = False) -> dict[str, list[Release]]:
        """The releases of these deployments, the newest first; all of each, or with ``live`` those of which something
        may be on the cluster and the newest."""
        query = select(*_RELEASE).where(ReleaseRow.deployment.in_(deployments)).order_by(ReleaseRow.number.desc())
        if live:
            newest = select(func.max(ReleaseRow.number)).where(ReleaseRow.deployment.in_(deployments))
            newest = newest.group_by(ReleaseRow.deployment)
            query = query.where(ReleaseRow.cleaned_at.is_(None) | ReleaseRow.number.in_(newest))
        found: dict[str, list[Release]] = {each: [] for each in deployments}
        with self.db.connect() as connection:
            for row in connection.execute(query):
                found[row.deployment].append(_release_of(row._mapping))
        return found

    def token_hash(self, release: str) -> str | None:
        """The hash of the release's token; None where it has none, or nothing of it goes on."""
        query = select(ReleaseRow.token_hash).where(ReleaseRow.id == release, ReleaseRow.state.in_(_LIVE))
        with self.db.connect() as connection:
            return connection.scalar(query)

    def live_releases(self) -> set[str]:
        """The ids of all releases of which something may be on the cluster."""
        query = select(ReleaseRow.id).where(ReleaseRow.cleaned_at.is_(None))
        with self.db.connect() as connection:
            return set(connection.scalars(query))

    def of_version(self, versions: Collection[str]) -> list[tuple[Deployment, Release]]:
        """The deployments that serve or have served these versions, each with its newest release of one."""
        return self._served(ReleaseRow.version.in_(versions))

    def _served(self, where: Any) -> list[tuple[Deployment, Release]]:
        query = select(*_RELEASE).where(where, ReleaseRow.serving_at.is_not(None))
        with self.db.connect() as connection:
            rows = connection.execute(query.order_by(ReleaseRow.number).limit(_AT_ONCE))
            newest = {(row.deployment, row.version): _release_of(row._mapping) for row in rows}
        by_id = {each.id: each for each in self._some(DeploymentRow.id.in_({place[0] for place in newest}))}
        return [(by_id[place[0]], release) for place, release in newest.items()]

    def following(self, model: str, aliases: Collection[str]) -> list[Deployment]:
        """The deployments that follow one of these aliases of a model, without those that were stopped."""
        return self._some(
            DeploymentRow.model == model, DeploymentRow.at.in_(aliases), DeploymentRow.stopped_at.is_(None)
        )

    def served_by(self, deployments: Collection[str]) -> list[tuple[Deployment, Release]]:
        """These deployments, each with its newest release of each version that it serves or has served."""
        return self._served(ReleaseRow.deployment.in_(deployments))

    def change(self, release: str, **values: Any) -> None:
        """Change what was seen of a release that is not over; its end too."""
        with writing(self.db) as connection:
            _change(connection, release, values)

    def intend(self, release: str, token_hash: str, at: float) -> None:
        """Record, before anything is made, that it will be."""
        query = update(ReleaseRow).where(ReleaseRow.id == release)
        with writing(self.db) as connection:
            times = {"intended_at": func.coalesce(ReleaseRow.intended_at, at)}
            connection.execute(query.values(token_hash=token_hash, **times))

    def switch(self, to: Release, others: Iterable[Release], at: float) -> None:
        """Let ``to`` serve; the one that served stands by, and one that stood by is over."""
        with writing(self.db) as connection:
            for other in others:
                if other.state is ReleaseState.SERVING:
                    why = f"release {to.number} serves; this one stands by"
                    _change(connection, other.id, {"state": ReleaseState.STANDBY, "reason": why})
                elif other.state is ReleaseState.STANDBY:
                    why = f"release {to.number} serves"
                    _change(connection, other.id, {"state": ReleaseState.RETIRED, "reason": why, "ended_at": at})
            _change(connection, to.id, {"state": ReleaseState.SERVING, "reason": "", "serving_at": at})

    def take_back(
        self,
        now: Release,
        state: ReleaseState,
        why: str,
        back: Release,
        at: float,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the one that stands by serve again; ``now`` ends as ``state``. ``changes`` are of the deployment's wish,
        in the same transaction."""
        with writing(self.db) as connection:
            _change(connection, now.id, {"state": state, "reason": why, "ended_at": at})
            _change(connection, back.id, {"state": ReleaseState.SERVING, "reason": ""})
            if changes:
                where = DeploymentRow.id == now.deployment
                connection.execute(update(DeploymentRow).where(where).values(**_plain(changes)))

    def cleaned(self, release: str, at: float) -> None:
        """Nothing of it is left."""
        with writing(self.db) as connection:
            connection.execute(update(ReleaseRow).where(ReleaseRow.id == release).values(cleaned_at=at))

    def add_requests(self, minutes: Iterable[Minute]) -> None:
        """Add to what releases were asked."""
        with writing(self.db) as connection:
            for minute in minutes:
                _add_minute(connection, self.db.dialect.name, minute)

    def requests(self, releases: Collection[str], *, since: int) -> list[Minute]:
        """What these releases were asked from that minute on, the oldest first."""
        columns = tuple(ReleaseRequestsRow.__table__.c[f.name] for f in fields(Minute))
        query = select(*columns).where(ReleaseRequestsRow.release.in_(releases), ReleaseRequestsRow.minute >= since)
        with self.db.connect() as connection:
            rows = connection.execute(query.order_by(ReleaseRequestsRow.minute))
            return [Minute(**{**row._mapping, "buckets": tuple(row.buckets)}) for row in rows]

    def _one(self, *where: Any) -> Deployment | None:
        return next(iter(self._some(*where)), None)

    def _some(self, *where: Any) -> list[Deployment]:
        query = select(*_DEPLOYMENT).where(*where).order_by(DeploymentRow.tenant, DeploymentRow.name)
        with self.db.connect() as connection:
            return [_deployment_of(row._mapping) for row in connection.execute(query)]


def hand_over_deployments(connection: Connection, name: str, former: str) -> None:
    """What somebody asked for keeps the former owner's name."""
    for row in (DeploymentRow, ReleaseRow):
        connection.execute(update(row).where(row.by == name).values(by=former))


def plan_json(plan: ServingPlan) -> dict[str, Any]:
    """A plan as plain data."""
    return {**asdict(plan), "framework": plan.framework.value}


def plan_of(data: Mapping[str, Any]) -> ServingPlan:
    """The plan of plain data."""
    return ServingPlan(**{**data, "framework": Framework(data["framework"])})


def _add_minute(connection: Connection, dialect: str, minute: Minute) -> None:
    where = (ReleaseRequestsRow.release == minute.release, ReleaseRequestsRow.minute == minute.minute)
    row = connection.execute(select(ReleaseRequestsRow.__table__).where(*where)).one_or_none()
    before = Minute(minute.release, minute.minute)
    if row is not None:
        before = Minute(**{**row._mapping, "buckets": tuple(row.buckets)})
    values = asdict(before.plus(minute)) | {"buckets": list(before.plus(minute).buckets)}
    table: Any = sqlite if dialect == "sqlite" else postgresql
    new = table.insert(ReleaseRequestsRow).values(**values)
    connection.execute(new.on_conflict_do_update(index_elements=["release", "minute"], set_=values))


def _change(connection: Connection, release: str, values: Mapping[str, Any]) -> None:
    where = (ReleaseRow.id == release, ReleaseRow.state.in_(_LIVE))
    connection.execute(update(ReleaseRow).where(*where).values(**_plain(values)))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    if isinstance(found.get("state"), ReleaseState):
        found["state"] = found["state"].value
    if isinstance(found.get("plan"), ServingPlan):
        found["plan"] = plan_json(found["plan"])
    return found


def _deployment_values(deployment: Deployment) -> dict[str, Any]:
    return _plain({f.name: getattr(deployment, f.name) for f in fields(Deployment)})


def _release_values(release: Release) -> dict[str, Any]:
    values = _plain({f.name: getattr(release, f.name) for f in fields(Release)})
    return {**values, "cause": release.cause.value}


def _deployment_of(row: RowMapping) -> Deployment:
    return Deployment(**{**row, "plan": plan_of(row["plan"])})


def _release_of(row: RowMapping) -> Release:
    read = {"plan": plan_of(row["plan"]), "cause": ReleaseCause(row["cause"]), "state": ReleaseState(row["state"])}
    return Release(**{**row, **read})
