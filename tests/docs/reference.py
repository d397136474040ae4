"""The reference pages that are made from the code: settings, commands, REST API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from traitlets import HasTraits

from aifactory_hub import settings
from aifactory_hub.auth import AIFactoryAuthenticator
from aifactory_hub.cli import main
from aifactory_hub.service.api.app import describe
from aifactory_spawner import TenantKubeSpawner

# Ours that have settings.
CLASSES = (AIFactoryAuthenticator, TenantKubeSpawner)
MADE = "<!-- Made from the code: pytest tests/docs --update-golden -->\n\n"
# What the hub's and the service's environment mean; the names are compared with the code.
ENVIRONMENT = {
    "AIFACTORY_HUB_TENANTS": ("both", "Path of tenants.yaml."),
    "AIFACTORY_HUB_CLIENT_SECRET": ("hub", "The secret of the hub's client at the identity provider."),
    "AIFACTORY_HUB_SERVICE_TOKEN": ("both", "A long random text that hub and job service share."),
    "AIFACTORY_HUB_SERVICE_BIND": ("both", "Where the job service listens; in the hub, where it is reached."),
    "AIFACTORY_HUB_SERVICE_DATABASE": ("service", "SQLAlchemy URL of the job service's database."),
    "AIFACTORY_HUB_HISTORY": ("hub", "File of how long servers and jobs took, for the menu's expected waits."),
    "AIFACTORY_HUB_CA_FILE": (
        "hub",
        "File in PEM form with the authorities that vouch for the identity provider, where no public one does.",
    ),
    "AIFACTORY_HUB_SERVICE_FILES": ("service", "Folder of uploads, results and logs, and of the service's keys."),
    "AIFACTORY_HUB_SERVICE_OBJECTS": ("service", "Where files are kept instead: s3://bucket/prefix."),
    "AIFACTORY_HUB_METRICS_TOKEN": ("service", "Prometheus' token for the service's /metrics."),
    "AIFACTORY_HUB_PROVISIONER_TOKEN": (
        "service, provisioner",
        "A long random text that job service and provisioner share, for teams that people ask for.",
    ),
    "AIFACTORY_HUB_MAIL_HOST": ("service", "The mail server; without it no mail is sent."),
    "AIFACTORY_HUB_MAIL_PORT": ("service", "Its port; 587 when left out, 465 with tls, 25 with none."),
    "AIFACTORY_HUB_MAIL_TLS": ("service", "starttls (when left out), tls from the first byte, or none."),
    "AIFACTORY_HUB_MAIL_SENDER": ("service", "The address that mails come from."),
    "AIFACTORY_HUB_MAIL_USER": ("service", "For a mail server that wants a sign-in."),
    "AIFACTORY_HUB_MAIL_PASSWORD": ("service", "The password of that user."),
    "AIFACTORY_HUB_MAIL_PASSWORD_FILE": ("service", "The file that has the password, in place of the variable."),
    "AIFACTORY_HUB_MAIL_CA_FILE": (
        "service",
        "File in PEM form with the authorities that vouch for the mail server, where no public one does.",
    ),
    "JUPYTERHUB_CRYPT_KEY": ("hub", "Encrypts what the hub keeps of a sign-in: 32 bytes in hex."),
    "JUPYTERHUB_API_URL": ("service", "The hub's API as the job service reaches it."),
    "JUPYTERHUB_API_TOKEN": ("service", "In place of AIFACTORY_HUB_SERVICE_TOKEN when the hub starts the service."),
    "JUPYTERHUB_SERVICE_PREFIX": ("service", "Path that the job service is below."),
    "KUBECONFIG": ("both", "Of the host cluster; the pod's own account when left out."),
}


def environment_in_code() -> set[str]:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    return set(re.findall(r'"((?:AIFACTORY|JUPYTERHUB)_[A-Z_]+|KUBECONFIG)"', source))


def settings_page() -> str:
    lines = [MADE + "# Settings\n", "What differs between sites is in [tenants.yaml](../tenants-yaml.md).\n"]
    lines += ["## Environment\n", "| variable | of | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {where} | {meaning} |" for name, (where, meaning) in ENVIRONMENT.items()]
    for kind in CLASSES:
        lines += [f"\n## c.{kind.__name__}\n", f"Beside all that {kind.__mro__[-1 - _depth(kind)].__name__} has.\n"]
        lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
        lines += list(_traits(kind))
    return "\n".join(lines) + "\n"


def _depth(kind: type) -> int:
    """Where in the order of classes the first one of somebody else is."""
    foreign = next(each for each in kind.__mro__ if not each.__module__.startswith("aifactory"))
    return len(kind.__mro__) - 1 - kind.__mro__.index(foreign)


def own_traits(kind: type[HasTraits]) -> dict[str, Any]:
    """Configurable traits that one of our classes defines."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("aifactory")]
    traits = kind.class_traits(config=True)
    return {name: trait for name, trait in sorted(traits.items()) if any(name in vars(each) for each in ours)}


def _traits(kind: type[HasTraits]) -> Iterator[str]:
    for name, trait in own_traits(kind).items():
        default = trait.default_value_repr()
        yield f"| `{name}` | {type(trait).__name__} | {_cell(f'`{default}`')} | {_cell(trait.help)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def commands_page() -> str:
    lines = [MADE + "# Commands\n"]
    for path, command in commands(main, "aifactory-hub"):
        with click.Context(command, info_name=path) as context:
            lines += [f"## {path}\n", f"```\n{command.get_usage(context)}\n```\n", _help(command)]
            rows = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
            rows = [(names, text) for names, text in rows if "--help" not in names]
            if rows:
                lines += ["| option | meaning |", "|---|---|"]
                lines += [f"| `{names}` | {_cell(text)} |" for names, text in rows] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _help(command: click.Command) -> str:
    return " ".join((command.help or "").replace("\b", "").split()) + "\n"


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def rest_page() -> str:
    document = describe("/services/aifactory/")
    lines = [MADE + "# REST API\n"]
    lines.append(
        "Below `/services/aifactory/`, with a JupyterHub token (`Authorization: token ...`). The whole description,"
        "\nwith every field, is at `/services/aifactory/api/v1/openapi.json`. A refusal is a problem (RFC 9457) with a"
        "\n[reason](refusals.md).\n"
    )
    lines += ["| method | path | what it does |", "|---|---|---|"]
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items()):
            if isinstance(operation, dict) and "responses" in operation:
                lines.append(f"| {method.upper()} | `{path}` | {_cell(operation.get('summary', ''))} |")
    return "\n".join(lines) + "\n"
