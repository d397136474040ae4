"""The root command and how its parts are found."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from .accounts import accounts
from .explain_groups import explain_groups
from .export_tenants import export
from .loading import load
from .profiles import profiles
from .registry import tenants
from .remove_team import remove
from .request_team import request
from .team_states import purge, status
from .tenants import apply, diff, plan
from .tickets import tickets

# Commands that live with the code they run, loaded when they are asked for.
_ELSEWHERE = {
    "job": "aifactory_hub.client.commands:job",
    "schedule": "aifactory_hub.client.schedule_commands:schedule",
    "budget": "aifactory_hub.client.budget_commands:budget",
    "model": "aifactory_hub.client.model_commands:model",
    "dataset": "aifactory_hub.client.dataset_commands:dataset",
    "deployment": "aifactory_hub.client.deployment_commands:deployment",
    "pipeline": "aifactory_hub.client.pipeline_commands:pipeline",
    "environment": "aifactory_hub.client.environment_commands:environment",
    "team": "aifactory_hub.client.team_commands:team",
    "secret": "aifactory_hub.client.secret_commands:secret",
    "trigger": "aifactory_hub.client.trigger_commands:trigger",
    "notifications": "aifactory_hub.client.notification_commands:notifications_command",
    "queue": "aifactory_hub.client.queue_commands:queue",
    "quota": "aifactory_hub.cli.quota:quota",
    "usage": "aifactory_hub.cli.usage:usage",
    "bill": "aifactory_hub.cli.usage:bill",
    "demo": "aifactory_hub.cli.demo:demo",
    "backup": "aifactory_hub.cli.backup:backup",
    "restore": "aifactory_hub.cli.backup:restore",
    "doctor": "aifactory_hub.cli.doctor:doctor",
    "images": "aifactory_hub.cli.images:images",
    "policy": "aifactory_hub.cli.policy:policy",
    "provisioner": "aifactory_hub.cli.provisioner:provisioner",
}


class _Root(click.Group):
    """A group whose commands may live in modules that are loaded only when asked for."""

    elsewhere: Mapping[str, str] = _ELSEWHERE

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        module, attribute = self.elsewhere[cmd_name].split(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.elsewhere[cmd_name]} is no click command")
        return command


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aifactory-hub", prog_name="aifactory-hub")
def main() -> None:
    """AIFactory Hub: teams in vClusters, MIG-sized notebooks, jobs, and quota that tells the truth."""


@main.command()
def service() -> None:
    """Run the hub service (jobs, quota). JupyterHub starts it and gives it its environment."""
    load("aifactory_hub.service", "service").main()


tenants.add_command(plan)
tenants.add_command(diff)
tenants.add_command(apply)
tenants.add_command(remove)
tenants.add_command(export)
tenants.add_command(request)
tenants.add_command(status)
tenants.add_command(purge)
main.add_command(tenants)
main.add_command(tickets)
main.add_command(profiles)
main.add_command(explain_groups)
main.add_command(accounts)
