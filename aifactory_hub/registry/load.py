"""Read ``tenants.yaml``: all of its problems at once, or a :class:`Registry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aifactory_profiles import Card, Device, ProfileError, SiteProfile, load_catalogue

from ..domain.borrowing import Reclaim
from ..domain.quota import Quota
from ..domain.tenants import GroupRule, HostLimits, Role, Tenant, TenantLimits, VCluster
from . import schema
from .cards import own_cards
from .check import contradictions
from .devices import DeviceNames, device_names, usable_cards
from .document import read_document
from .draft import Draft, read_draft
from .explain import explain
from .mapping import mapping_problems, rules_of
from .model import (
    Addresses,
    BillingConfig,
    ClusterConfig,
    IdentityConfig,
    Isolation,
    JobsConfig,
    NotebookConfig,
    Registry,
    Site,
)
from .problems import Problem, RegistryError

# Bytes. A thousand teams need about one million.
LARGEST = 8 * 2**20


def load_registry(path: str | Path) -> Registry:
    """The registry in the file ``path``. Raises RegistryError with every problem that was found."""
    return read_registry(read_text(path), str(path))


def read_text(path: str | Path) -> str:
    """The text of the file ``path``. Raises RegistryError when it can't be read or is larger than LARGEST."""
    source = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            what = f"the file has more than {LARGEST // 2**20} MiB"
            raise RegistryError(source, [Problem((), what, "name the file with the teams (AIFACTORY_HUB_TENANTS)")])
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        what = f"the file can't be read: {error.strerror}"
        instead = "name an existing file (AIFACTORY_HUB_TENANTS) that the hub may read"
        raise RegistryError(source, [Problem((), what, instead)]) from error
    except UnicodeDecodeError as error:
        what = f"the file is not UTF-8 text (byte {error.start})"
        raise RegistryError(source, [Problem((), what, "save it as UTF-8")]) from error


def read_registry(text: str, source: str) -> Registry:
    """The registry in ``text``; ``source`` is the file's name for messages. Raises RegistryError."""
    document = read_document(text, source)
    if not isinstance(document.data, dict):
        what = "the file is empty" if document.data is None else "the file is not a mapping"
        instead = f"start with `apiVersion: {schema.API_VERSION}` and `hub: main`"
        raise RegistryError(source, [Problem((), what, instead, line=1)])
    draft = read_draft(document.data)
    own, of_cards = own_cards(draft.cards, source)
    problems = [
        *_schema_problems(document.data),
        *of_cards,
        *contradictions(draft, document.line, own),
        *mapping_problems(document.data, document.line),
        *_profile_problems(document.data, draft, own),
    ]
    if problems or document.repeated:
        located = [replace(problem, line=document.line(problem.path)) for problem in problems]
        raise RegistryError(source, [*document.repeated, *located])
    return _registry(schema.TenantsFile.model_validate(document.data), source, own)


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
        tenants={name: _tenant(name, section, devices) for name, section in file.tenants.items()},
        isolation=Isolation(**{name: tuple(each) for name, each in file.isolation.model_dump().items()}),
        site=Site(**file.site.model_dump()),
        billing=BillingConfig(
            currency, file.billing.time_zone, file.billing.close_after, chargeback=file.billing.mode == "chargeback"
        ),
    )


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


def _tenant(name: str, section: schema.TenantSection, devices: DeviceNames) -> Tenant:
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
    )


def _tenant_limits(section: schema.LimitsSection) -> TenantLimits:
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
