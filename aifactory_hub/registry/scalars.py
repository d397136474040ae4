"""How single values of ``tenants.yaml`` are read. What is wrong is said with what to write instead."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from aifactory_profiles import parse_cpu, parse_memory

from ..domain.tenants import Role
from .problems import suggest
from .shut import shut_part

# tenant-<t>-viewer is a hub group name, and <t> is part of label values and of Kubernetes names.
LONGEST_TENANT = 30
# Characters. CEL, in which admission policies are written, takes no longer expression than 100,000.
LONGEST_LIST = 60_000
# Characters of the name that pages show, and of a mail address.
LONGEST_NAME, LONGEST_CONTACT = 40, 254
# Hours or money.
MOST_OF_A_BUDGET = 10**9
_RESERVED_ENDINGS = ("-admin", "-member", "-viewer")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PROFILE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,61}[a-z0-9])?")
_PODS_PLACE = re.compile(r"[a-z0-9][-a-z0-9]*/[A-Za-z0-9][-A-Za-z0-9_./]*=[A-Za-z0-9][-A-Za-z0-9_.]*")
_DURATION = re.compile(r"([0-9]+)(s|m|h|d)?")
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]{0,199}")
_DRIVER = re.compile(r"(?:>= ?)?([0-9]+(?:\.[0-9]+){0,3})")
_VERSION_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,38}[A-Za-z0-9])?")
_MOUNT_PATH = re.compile(r"(/[A-Za-z0-9._-]+){1,8}")
# Folders of the system and of its programs: what is mounted there would take their place.
_OF_THE_IMAGE = frozenset(
    ["bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"]
)
_MAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def wrong(what: str, instead: str) -> PydanticCustomError:
    """A validation error in our own words; ``explain`` puts the two halves together."""
    return PydanticCustomError("explained", "{what}; {instead}", {"what": what, "instead": instead})


def read_tenant_name(value: object) -> str:
    """A DNS label that leaves room for what is added to it, and that can't be taken for another tenant's group."""
    name = read_label(value)
    if len(name) > LONGEST_TENANT:
        raise wrong(f"the name has {len(name)} characters", f"use {LONGEST_TENANT} at most")
    for ending in _RESERVED_ENDINGS:
        if name.endswith(ending):
            what = f"the name ends in {ending}, which marks the hub groups of a tenant's roles"
            raise wrong(what, f"use a name such as {name.removesuffix(ending) or 'nlp'}")
    return name


def read_label(value: object) -> str:
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not text", 'write a name in quotes, for example "team-7"')
    if not _DNS_LABEL.fullmatch(value):
        instead = "use lower-case letters, digits and inner dashes, at most 63"
        raise wrong(f"{shown(value)} is not a valid name", instead)
    return value


def read_service_name(value: object) -> str:
    """A name that a Kubernetes Service can have: those must start with a letter."""
    name = read_label(value)
    if not name[0].isalpha():
        raise wrong(f"{shown(value)} does not start with a letter", f"use a name such as v{name}")
    return name


def read_profile_name(value: object) -> str:
    if not isinstance(value, str) or not _PROFILE_NAME.fullmatch(value):
        instead = "use lower-case letters, digits, dots and dashes, for example cpu-small"
        raise wrong(f"{shown(value)} is not a valid profile name", instead)
    return value


def read_environment_name(value: object) -> str:
    """A name that stands before ``@`` and a version."""
    if not isinstance(value, str) or not _DNS_LABEL.fullmatch(value) or len(value) > LONGEST_NAME:
        instead = f"use lower-case letters, digits and inner dashes, at most {LONGEST_NAME}"
        raise wrong(f"{shown(value)} is not a valid name", instead)
    return value


def read_version_name(value: object) -> str:
    """A version's name, which is text: YAML makes a number of an unquoted 2026.10."""
    if not isinstance(value, str):
        raise wrong(f"{shown(value)} is not text", 'write the version in quotes, for example "2026.11"')
    if not _VERSION_NAME.fullmatch(value):
        instead = f"use letters, digits, dots and dashes, at most {LONGEST_NAME}"
        raise wrong(f"{shown(value)} is not a valid version", instead)
    return value


def read_driver(value: object) -> tuple[int, ...]:
    """A version of NVIDIA's driver as numbers; ``>=`` may stand before it."""
    match = _DRIVER.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None:
        raise wrong(f"{shown(value)} is not a version of a driver", 'write for example "550.90"')
    return tuple(int(part) for part in match[1].split("."))


def read_mount_path(value: object) -> str:
    """Where a volume is in a server: a folder of its own, beside what the image has."""
    if isinstance(value, str) and _MOUNT_PATH.fullmatch(value) and not {".", ".."} & set(value.split("/")):
        if value.split("/")[1] not in _OF_THE_IMAGE and value != "/home/jovyan":
            return value
        raise wrong(f"{shown(value)} is the image's own", "write for example /data/claims or /home/jovyan/team")
    raise wrong(f"{shown(value)} is not a folder", "write it from the root, for example /data/claims")


def read_cpu(value: object) -> int:
    """Thousandths of a core."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            if (cpu := parse_cpu(str(value))) > 0:
                return cpu
        except ValueError:
            pass
    raise wrong(f"{shown(value)} is not an amount of CPU", "write for example 500m, 2 or 1.5")


def read_size(value: object) -> int:
    """Bytes."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            if (size := parse_memory(str(value))) > 0:
                return size
        except ValueError:
            pass
    raise wrong(f"{shown(value)} is not an amount of memory", "write for example 512Mi or 16Gi")


def read_size_text(value: object) -> str:
    read_size(value)
    return str(value)


def read_seconds(value: object) -> int:
    match = _DURATION.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match is None or int(match[1]) == 0:
        raise wrong(f"{shown(value)} is not a length of time", "write seconds, or for example 30m or 24h")
    return int(match[1]) * _SECONDS[match[2] or "s"]


def read_day(value: object) -> float:
    """The end of a day in UTC, in epoch seconds. YAML makes a date of an unquoted day."""
    text = value.isoformat() if type(value) is date else value
    if isinstance(text, str) and _DAY.fullmatch(text):
        with suppress(ValueError):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + _SECONDS["d"]
    raise wrong(f"{shown(value)} is not a day", "write year, month and day, for example 2026-12-31")


def read_currency(value: object) -> str:
    """A currency's code of ISO 4217, such as ``EUR``."""
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value):
        return value
    raise wrong(f"{shown(value)} is not a currency", "write its code of ISO 4217, such as EUR or USD")


def read_time_zone(value: object) -> str:
    """The name of a time zone, as the IANA's database has it."""
    if isinstance(value, str):
        # What is no name at all is refused with one error or another.
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(value).key
    raise wrong(f"{shown(value)} is not a time zone", "write its name, such as Europe/Berlin or UTC")


def read_price(value: object) -> Decimal:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            price = Decimal(str(value))
            if price.is_finite() and price >= 0:
                return price
        except InvalidOperation:
            pass
    raise wrong(f"{shown(value)} is not a price", "write an amount such as 0.40, without a currency")


def read_weight(value: object) -> Decimal:
    """A share among others: above 0, and in thousandths at the finest, as Kubernetes keeps it."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            weight = Decimal(str(value))
            if weight.is_finite() and weight > 0 and weight == round(weight, 3):
                return weight
        except InvalidOperation:
            pass
    raise wrong(f"{shown(value)} is not a weight", "write a number above 0 such as 1, 2 or 0.5")


def read_network(value: object) -> str:
    """A network in CIDR form. Those where clouds give credentials away can't be named."""
    try:
        network = ip_network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong(f"{shown(value)} is not a network", "write for example 192.0.2.0/24, or 192.0.2.7/32") from error
    if (found := shut_part(network)) is not None:
        name, shut = found
        raise wrong(f"{network} has {shut} in it, {name}", "name a network without it: no setting opens it")
    return str(network)


def read_pods_place(value: object) -> str:
    """Pods of a namespace by a label: ``namespace/label=value``."""
    if not isinstance(value, str) or not _PODS_PLACE.fullmatch(value):
        raise wrong(f"{shown(value)} names no pods", "write for example kube-system/k8s-app=kube-dns")
    return value


def read_pattern(value: object) -> str:
    """A name; ``*`` at its end stands for all that begin like it, and alone it would stand for everything."""
    if not isinstance(value, str) or not value.strip("*") or "*" in value[:-1] or not value.isprintable():
        raise wrong(
            f"{shown(value)} is no name", "write for example example.org/team, or example.org/* for all of them"
        )
    return value


def short_enough(names: list[str]) -> list[str]:
    """A list that fits into an expression of an admission policy."""
    size = sum(len(name) + 4 for name in names)
    if size > LONGEST_LIST:
        raise wrong(f"the list has {size} characters in all", f"{LONGEST_LIST} at most; use entries that end in *")
    return names


def read_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(f"{shown(value)} is not a whole number", "write how many devices, for example 3")
    if value < 0:
        raise wrong(f"{value} is below 0", "write 0 or more")
    return value


def read_percent(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 90:
        raise wrong(f"{shown(value)} is not a percentage", "write a whole number from 0 to 90, without %")
    return value


def read_share(value: object) -> int:
    """Per cent of a budget; more than 100 for what follows only beyond it."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
        raise wrong(f"{shown(value)} is not a share", "write per cent of the budget, from 1 to 1000, without %")
    return value


def read_amount(value: object) -> Decimal:
    """More than nothing, of hours or of money."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(InvalidOperation):
            amount = Decimal(str(value))
            if amount.is_finite() and 0 < amount < MOST_OF_A_BUDGET:
                return amount
    raise wrong(f"{shown(value)} is not an amount", "write a number above 0, such as 500 or 12.5, without a unit")


def read_several(value: object) -> int:
    count = read_count(value)
    if count < 1:
        raise wrong("0 of them are no profile", "write 1 or more")
    return count


def read_role(value: object) -> str:
    names = [role.label for role in Role]
    if value not in names:
        known = f"the roles are {', '.join(names)}"
        raise wrong(f"{shown(value)} is not a role", suggest(str(value).lower(), names, known))
    return str(value)


def read_url(value: object) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong(f"{shown(value)} is not a web address", "write it in full, for example https://idp.example.org")
    if parts.username or parts.password:
        raise wrong("the address carries a user name or password", "leave them out, this file is no place for secrets")
    return str(value)


def read_contact(value: object) -> str:
    """A mail address or a web address."""
    if isinstance(value, str) and len(value) <= LONGEST_CONTACT and _MAIL.fullmatch(value):
        return value
    try:
        return read_url(value)
    except PydanticCustomError:
        instead = "write for example gpu-help@example.org or https://help.example.org"
        raise wrong(f"{shown(value)} is neither a mail address nor a web address", instead) from None


def read_metric_name(value: object) -> str:
    """A metric's name, as Prometheus takes them."""
    if isinstance(value, str) and _METRIC.fullmatch(value):
        return value
    raise wrong(f"{shown(value)} is not the name of a metric", "write letters, digits, _ and :, such as gpu_memory")


def read_short_text(value: object) -> str:
    """Words for a page's head."""
    if isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= LONGEST_NAME:
        return value.strip()
    raise wrong(f"{shown(value)} is not a name", f"write 1 to {LONGEST_NAME} characters on one line")


def shown(value: object) -> str:
    """A value for a message: short, and on one line."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


Label = Annotated[str, BeforeValidator(read_label)]
ServiceName = Annotated[str, BeforeValidator(read_service_name)]
TenantName = Annotated[str, BeforeValidator(read_tenant_name)]
ProfileName = Annotated[str, BeforeValidator(read_profile_name)]
EnvironmentName = Annotated[str, BeforeValidator(read_environment_name)]
VersionName = Annotated[str, BeforeValidator(read_version_name)]
DriverVersion = Annotated[tuple[int, ...], BeforeValidator(read_driver)]
MountPath = Annotated[str, BeforeValidator(read_mount_path)]
Cpu = Annotated[int, BeforeValidator(read_cpu)]
Size = Annotated[int, BeforeValidator(read_size)]
SizeText = Annotated[str, BeforeValidator(read_size_text)]
Seconds = Annotated[int, BeforeValidator(read_seconds)]
Day = Annotated[float, BeforeValidator(read_day)]
Network = Annotated[str, BeforeValidator(read_network)]
PodsPlace = Annotated[str, BeforeValidator(read_pods_place)]
Pattern = Annotated[str, BeforeValidator(read_pattern)]
TimeZone = Annotated[str, BeforeValidator(read_time_zone)]
Currency = Annotated[str, BeforeValidator(read_currency)]
Price = Annotated[Decimal, BeforeValidator(read_price)]
Count = Annotated[int, BeforeValidator(read_count)]
RoleName = Annotated[str, BeforeValidator(read_role)]
Url = Annotated[str, BeforeValidator(read_url)]
Contact = Annotated[str, BeforeValidator(read_contact)]
ShortText = Annotated[str, BeforeValidator(read_short_text)]
MetricName = Annotated[str, BeforeValidator(read_metric_name)]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Text], AfterValidator(short_enough)]
Patterns = Annotated[list[Pattern], AfterValidator(short_enough)]
Weight = Annotated[Decimal, BeforeValidator(read_weight)]
Pods = Annotated[int, BeforeValidator(read_count)]
Percent = Annotated[int, BeforeValidator(read_percent)]
Several = Annotated[int, BeforeValidator(read_several)]
Counts = dict[str, Count]
Share = Annotated[int, BeforeValidator(read_share)]
Amount = Annotated[Decimal, BeforeValidator(read_amount)]
