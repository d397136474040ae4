"""Read ``tenants.yaml``: all of its problems at once, or a :class:`Registry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from aifactory_profiles import Card, Device, ProfileError, SiteProfile, load_catalogue

from ..domain.borrowing import Reclaim
from ..domain.channels import Channel, Level, MessageFormat
from ..domain.idle_ladder import IdleAction, IdleRules
from ..domain.quota import Quota
from ..domain.tenants import GroupRule, HostLimits, Retirement, Role, TeamVolume, Tenant, TenantLimits, VCluster
from . import schema
from .approvers import approver_problems
from .budgets import budget_problems, budgets_of
from .cards import own_cards
from .check import contradictions
from .devices import DeviceNames, device_names, usable_cards
from .draft import Draft, read_draft
from .environments import environment_problems, environments_of
from .explain import explain
from .idle_schema import IdleSection
from .limits_schema import LimitsSection
from .mapping import mapping_problems, rules_of
from .model import (
    Addresses,
    ApprovalsConfig,
    BillingConfig,
    ClusterConfig,
    DeploymentsConfig,
    GitConfig,
    IdentityConfig,
    IdleConfig,
    Isolation,
    JobsConfig,
    NotebookConfig,
    NotificationsConfig,
    PoliciesConfig,
    Registry,
    Site,
    TelemetryConfig,
)
from .notification_schema import ChannelSection
from .problems import Problem, RegistryError
from .self_service import self_service_of
from .team_files import join_files, read_documents, read_granted, team_files
from .templates import template_name_problems, template_problems
from .volumes import volume_problems

# Bytes. A thousand teams need about one million.
LARGEST = 8 * 2**20
_TOGETHER = f"the files of teams and tenants.yaml have more than {LARGEST // 2**20} MiB together"


def load_registry(path: str | Path) -> Registry:
    """The registry in the file ``path``. Raises RegistryError with every problem that was found."""
    return read_registry(read_text(path), str(path))


def read_text(path: str | Path, granted: Path | None = None) -> str:
    """The text of the file ``path``, of the files of teams beside it and of ``granted``, as one (:mod:`.team_files`).

    Raises RegistryError when one can't be read, or when all are larger than LARGEST together.
    """
    source = str(path)
    main = _text_of_file(source, source, LARGEST)
    room, teams = LARGEST - len(main), {}
    try:
        files, asked_for = team_files(Path(path)), read_granted(granted)
    except OSError as error:
        raise _unreadable(source, None, error) from error
    except UnicodeDecodeError as error:
        raise RegistryError(
            source, [Problem((), f"a granted team is not UTF-8 text in {granted}", "remove it")]
        ) from error
    for file in files:
        teams[file.stem] = _text_of_file(str(file), source, room)
        room -= len(teams[file.stem])
    if sum(map(len, asked_for.values())) > room:
        raise RegistryError(source, [Problem((), _TOGETHER, "have fewer teams")])
    return join_files(main, teams, asked_for)


def _text_of_file(name: str, source: str, room: int) -> str:
    """The text of one file, of at most ``room`` bytes."""
    own = None if name == source else name
    try:
        with Path(name).open("rb") as file:
            content = file.read(max(room, 0) + 1)
        if len(content) > room:
            what = f"the file has more than {LARGEST // 2**20} MiB" if own is None else _TOGETHER
            instead = "name the file with the teams (AIFACTORY_HUB_TENANTS)"
            raise RegistryError(source, [Problem((), what, instead, file=own)])
        text = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise _unreadable(source, own, error) from error
    except UnicodeDecodeError as error:
        what = f"the file is not UTF-8 text (byte {error.start})"
        raise RegistryError(source, [Problem((), what, "save it as UTF-8", file=own)]) from error
    if "\x1e" in text:
        what = "the file has a control character (U+001E), which YAML does not allow"
        raise RegistryError(source, [Problem((), what, "remove it", file=own)])
    return text


def _unreadable(source: str, own: str | None, error: OSError) -> RegistryError:
    what = f"the file can't be read: {error.strerror}"
    instead = "name an existing file (AIFACTORY_HUB_TENANTS) that the hub may read"
    return RegistryError(source, [Problem((), what, instead, file=own)])


def read_registry(text: str, source: str) -> Registry:
    """The registry in ``text``, which may hold teams' own files too (:func:`read_text`); ``source`` is the file's name.

    Raises RegistryError with every problem that was found.
    """
    document = read_documents(text, source)
    if not isinstance(document.data, dict):
        what = "the file is empty" if document.data is None else "the file is not a mapping"
        instead = f"start with `apiVersion: {schema.API_VERSION}` and `hub: main`"
        raise RegistryError(source, [Problem((), what, instead, line=1)])
    draft = read_draft(document.data)
    own, of_cards = own_cards(draft.cards, source)
    problems = [
        *_schema_problems(document.data),
        *of_cards,
        *contradictions(draft, document.where, own),
        *mapping_problems(document.data, document.where),
        *approver_problems(document.data),
        *budget_problems(document.data),
        *_profile_problems(document.data, draft, own),
        *_retired_problems(document.data),
        *environment_problems(document.data, source),
        *volume_problems(document.data),
        *template_problems(document.data, document.granted),
        *_template_name_problems(document.data, draft, own),
    ]
    if problems or document.repeated:
        located = [document.located(problem) for problem in problems]
        raise RegistryError(source, [*document.repeated, *located])
    registry = _registry(schema.TenantsFile.model_validate(document.data), source, own)
    return replace(registry, granted=tuple(sorted(document.granted)))


def _schema_problems(data: dict[Any, Any]) -> list[Problem]:
    try:
        schema.TenantsFile.model_validate(data)
    except ValidationError as error:
        return explain(error)
    return []


def _profile_problems(data: dict[Any, Any], draft: Draft, own: Mapping[str, Card]) -> Iterator[Problem]:
    """Site profiles that are well written and still can't be, such as a limit below the request."""
    known = usable_cards(own)
    models = [model for _, model in draft.gpu_models if model in known]
    slices = device_names(models, own).profiles
    for name, made in draft.site_profiles.items():
        if made == (name in slices):
            continue  # a contradiction that has its own problem
        try:
            section = schema.ProfileSection.model_validate(data["profiles"][name])
            load_catalogue(models, [_site_profile(name, section)], own)
        except ValidationError:
            continue  # the schema has complained of it
        except ProfileError as error:
            yield Problem(("profiles", name), error.what, error.instead)


def _template_name_problems(data: dict[Any, Any], draft: Draft, own: Mapping[str, Card]) -> Iterator[Problem]:
    known = usable_cards(own)
    names = device_names([model for _, model in draft.gpu_models if model in known], own)
    yield from template_name_problems(data, names.names, (*names.profiles, *draft.site_profiles))


def _retired_problems(data: dict[Any, Any]) -> Iterator[Problem]:
    """Teams that are said to be gone and are there."""
    tenants, retired = data.get("tenants"), data.get("retired")
    for index, name in enumerate(retired if isinstance(retired, list) else ()):
        if isinstance(tenants, dict) and isinstance(name, str) and name in tenants:
            what = f"team {name!r} is among the tenants"
            yield Problem(("retired", index), what, "remove it here or there")


def _registry(file: schema.TenantsFile, source: str, own: Mapping[str, Card]) -> Registry:
    currency = file.billing.currency or ""
    site = [_site_profile(name, section, currency) for name, section in file.profiles.items()]
    devices = device_names(file.cluster.gpu_models, own)
    return Registry(
        source=source,
        hub=file.hub,
        cluster=ClusterConfig(
            name=file.cluster.name,
            gpu_models=tuple(file.cluster.gpu_models),
            carved=_counted(file.cluster.carved, devices),
            cohort=file.cluster.cohort,
            reclaim=Reclaim(file.cluster.reclaim),
            fair_sharing=file.cluster.fair_sharing,
            overhead=HostLimits(file.cluster.overhead.cpu, file.cluster.overhead.memory, file.cluster.overhead.pods),
            simulated=file.cluster.simulated,
            driver=file.cluster.driver,
        ),
        identity=_identity(file.identity),
        # Callers join paths to these, so that each has one form whatever the file says.
        addresses=Addresses(
            hub_api=file.addresses.hub_api.rstrip("/"),
            service=file.addresses.service.rstrip("/") + "/",
            public=None if file.addresses.public is None else file.addresses.public.rstrip("/") + "/",
        ),
        notebook=NotebookConfig(**file.notebook.model_dump()),
        jobs=JobsConfig(**{name: _frozen(value) for name, value in file.jobs.model_dump().items()}),
        catalogue=load_catalogue(file.cluster.gpu_models, site, own),
        tenants={name: _tenant(name, each, devices, file) for name, each in file.tenants.items()},
        self_service=self_service_of(file.self_service, devices),
        isolation=Isolation(**{name: tuple(each) for name, each in file.isolation.model_dump().items()}),
        site=Site(**file.site.model_dump()),
        policies=PoliciesConfig(**file.policies.model_dump()),
        retired=tuple(file.retired),
        deployments=DeploymentsConfig(**file.deployments.model_dump()),
        git=GitConfig(tuple(file.git.hosts), file.git.ca_file, tuple(file.git.folders), file.git.poll),
        billing=BillingConfig(
            currency, file.billing.time_zone, file.billing.close_after, chargeback=file.billing.mode == "chargeback"
        ),
        telemetry=TelemetryConfig(**file.telemetry.model_dump()),
        idle=_idle(file.idle),
        approvals=ApprovalsConfig(
            approvers={name: tuple(groups) for name, groups in file.approvals.approvers.items()},
            expire_after=file.approvals.expire_after,
            emergency=file.approvals.emergency,
            notify=tuple(file.approvals.notify),
        ),
        notifications=NotificationsConfig(
            Level(file.notifications.people), file.notifications.gather, file.notifications.trust_addresses
        ),
        environments=environments_of(file.environments, source),
    )


def _idle(section: IdleSection) -> IdleConfig:
    rules = IdleRules(IdleAction(section.action), section.after, section.notice, section.keep, section.keeps)
    return IdleConfig(rules, tuple(section.notify))


def _identity(section: schema.IdentitySection) -> IdentityConfig:
    return IdentityConfig(
        issuer=section.issuer,
        client_id=section.client_id,
        username_claim=section.username_claim,
        groups_claim=tuple(section.groups_claim),
        scopes=tuple(section.scopes),
        groups_source=section.groups_source,
        groups_separator=section.groups_separator,
        groups_field=section.groups_field,
        rules=rules_of(section.tenant_mapping),
        on_leaving=section.on_leaving,
        leaving_grace=section.leaving_grace,
        stale_grace=section.stale_grace,
        rebind_until=section.rebind_until,
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _tenant(name: str, section: schema.TenantSection, devices: DeviceNames, file: schema.TenantsFile) -> Tenant:
    return Tenant(
        name=name,
        display_name=section.display_name or name,
        vcluster=VCluster(section.vcluster.namespace, section.vcluster.name),
        rules=tuple(GroupRule(rule.group or rule.id or "", Role[rule.role.upper()]) for rule in section.groups),
        profiles=tuple(section.profiles),
        quota=Quota(
            nominal=_counted(section.quota, devices),
            borrowing=_counted(section.borrowing, devices),
            lending=_counted(section.lending, devices),
            per_user=_counted(section.per_user, devices),
            notebooks_borrow=section.notebooks == "borrow",
        ),
        weight=section.weight,
        limits=TenantLimits() if section.limits is None else _tenant_limits(section.limits),
        sleep_after=section.sleep_after,
        retirement=_retirement(section, file.self_service.notice),
        template=section.template or "",
        budgets=budgets_of(section.budgets, ZoneInfo(file.billing.time_zone)),
        volumes=tuple(TeamVolume(each, v.claim, v.path, v.write) for each, v in section.volumes.items()),
        channel=_channel(section.channel),
    )


def _channel(section: ChannelSection | None) -> Channel | None:
    if section is None:
        return None
    return Channel(section.url, MessageFormat(section.format), Level(section.level))


def _retirement(section: schema.TenantSection, notice: float) -> Retirement | None:
    """What the site says of its end, else the day until which it was asked for."""
    if section.retire is not None:
        return Retirement(at=section.retire.on, keep=section.retire.keep, contact=section.retire.contact)
    return None if section.expires is None else Retirement(at=section.expires, notice=notice)


def _tenant_limits(section: LimitsSection) -> TenantLimits:
    return TenantLimits(
        cpu_millicores=section.cpu,
        memory_bytes=section.memory,
        pods=section.pods,
        storage_bytes=section.storage,
        claims=section.claims,
        disk_bytes=section.disk,
        secrets=section.secrets,
        configmaps=section.configmaps,
        services=section.services,
    )


def _site_profile(name: str, section: schema.ProfileSection, currency: str = "") -> SiteProfile:
    return SiteProfile(
        name=name,
        cpu_only=section.gpu == "none",
        gpu=section.gpu if section.gpu in ("whole", "shared") else "",
        model=section.model,
        count=section.count,
        replicas=section.replicas,
        cpu_millicores=section.cpu,
        memory_bytes=section.memory,
        cpu_limit_millicores=section.cpu_limit,
        memory_limit_bytes=section.memory_limit,
        price_per_hour=section.price_per_hour,
        currency=currency,
        display_name=section.display_name,
        description=section.description,
    )


def _counted(counts: Mapping[str, int], devices: DeviceNames) -> dict[Device, int]:
    """The counts by device, whatever the file calls it."""
    found = ((devices.device(name), count) for name, count in counts.items())
    return {device: count for device, count in found if device is not None}
