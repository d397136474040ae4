"""``accounts``: whose account is whose, and giving one to another person."""

from __future__ import annotations

import csv
import json
import os
import sys
from typing import Any
from urllib.parse import quote

import click
import httpx

_TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name
_API = "JUPYTERHUB_API_URL"
# A handover waits for servers to stop.
_TIMEOUT = 180.0
_COLUMNS = ("name", "issuer", "subject")


@click.group()
def accounts() -> None:
    """Whose account is whose at the hub: by the identity provider's issuer and subject, not by a name.

    Asks the hub at JUPYTERHUB_API_URL with JUPYTERHUB_API_TOKEN, an administrator's.
    """


@accounts.command("list")
@click.option("--csv", "as_csv", is_flag=True, help="As name,issuer,subject, for `accounts rebind`.")
def list_accounts(as_csv: bool) -> None:
    """Print every account and its person."""
    found = _ask("GET", "accounts")["accounts"]
    if as_csv:
        writer = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(found)
        return
    for one in found:
        person = "whoever signs in next" if one["subject"] is None else f"{one['subject']} of {one['issuer']}"
        times = f", handed over {one['handovers']} times" if one["handovers"] else ""
        click.echo(f"{_printable(one['name'])}: {_printable(person)}{times}")


@accounts.command()
@click.argument("name")
@click.option("--subject", help="The new person's subject (sub); the hub's log and /hub/aifactory/sign-ins show it.")
@click.option("--issuer", help="Their issuer; the hub's own when left out.")
@click.option("--next-sign-in", is_flag=True, help="To whoever signs in next under the name, instead of --subject.")
@click.option("--keep-home", is_flag=True, help="The new person gets the home volumes; else they get new ones.")
@click.option("--keep-jobs", is_flag=True, help="The new person gets jobs and schedules; else these end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def handover(
    name: str, subject: str | None, issuer: str | None, next_sign_in: bool, keep_home: bool, keep_jobs: bool, yes: bool
) -> None:
    """Give account NAME to another person.

    Servers, tokens and sessions of the present person end at once. Live jobs are cancelled and schedules paused, unless
    --keep-jobs is given. The old home volumes stay in the teams' vClusters.
    """
    if (subject is None) is not next_sign_in:
        raise click.UsageError("say to whom: --subject or --next-sign-in, one of them")
    if not yes:
        click.confirm(f"End everything of the present person of account {name} and hand it over?", abort=True)
    body = {"subject": subject, "issuer": issuer, "keep_home": keep_home, "keep_jobs": keep_jobs}
    _ask("POST", f"accounts/{quote(name, safe='')}/handover", body)
    click.echo(f"Account {_printable(name)} is handed over.")


@accounts.command()
@click.argument("file", type=click.File(encoding="utf-8-sig"))
def rebind(file: Any) -> None:
    """Give accounts the subjects that the same people have now, from FILE.

    FILE is CSV with the columns name, issuer and subject, as `accounts list --csv` prints it; - reads what is piped in.
    Nothing of anybody ends. All lines are taken or none.
    """
    reader = csv.DictReader(file)
    if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
        raise click.BadParameter(f"there is no column {missing[0]}; the first line has to be {','.join(_COLUMNS)}")
    rows = [{column: row[column] for column in _COLUMNS} for row in reader if row["subject"]]
    if not rows:
        raise click.BadParameter("no line has a subject")
    click.echo(f"{_ask('POST', 'accounts', {'accounts': rows})['bound']} accounts have new subjects.")


def _ask(method: str, path: str, body: Any = None) -> dict[str, Any]:
    api, token = os.environ.get(_API), os.environ.get(_TOKEN)
    if not api or not token:
        raise click.UsageError(f"this needs {_API} and {_TOKEN} in the environment")
    url = f"{api.rstrip('/').removesuffix('/api')}/aifactory/api/{path}"
    try:
        head = {"Authorization": f"token {token}"}
        answer = httpx.request(method, url, json=body, headers=head, timeout=_TIMEOUT)
        said = answer.json()
    except httpx.HTTPError as error:
        raise click.ClickException(f"the hub at {api} can't be asked: {error}") from error
    except ValueError as error:
        raise click.ClickException(f"the hub at {api} answered {answer.status_code} and no JSON") from error
    if not answer.is_success or not isinstance(said, dict):
        message = said.get("message") if isinstance(said, dict) else None
        raise click.ClickException(f"the hub answered {answer.status_code}: {message or answer.reason_phrase}")
    return said


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)
