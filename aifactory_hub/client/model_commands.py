"""The command line for models: ``aifactory-hub model ...``.

Exit codes: 0 done; 1 refused, something is wrong with the version, or the service does not answer; 2 wrong usage; 4
people have to approve it first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from . import model_registry as client
from .api import default_session
from .command_parts import as_json_option, plainly, table
from .model_registry import as_json as json_text
from .printable import line

_HELD = 4
_team = click.option("--team", help="The team; by default the token's own.")
_reason = click.option("--reason", default="", help="Why, for whoever reads the history.")
# For what asks for both in any case.
_whose_team = click.option("--team", required=True, help="The team.")
_why = click.option("--reason", required=True, help="Why, for whoever reads the history.")


@click.group()
def model() -> None:
    """Models of the notebook's team: versions that were signed, and aliases that lead to them."""


@model.command("list")
@_team
@as_json_option
@plainly
def list_models(team: str | None, as_json: bool) -> None:
    """The models, where their aliases lead, and how many versions there are."""
    found = client.models(team)
    if as_json:
        click.echo(json_text(found))
        return
    if not found:
        click.echo("The team has no models: register what a job gave back.", err=True)
        return
    rows = [(each["name"], _newest(each), str(each["versions"]), each["tenant"], _aliases(each)) for each in found]
    table(("MODEL", "NEWEST", "VERSIONS", "TEAM", "ALIASES"), rows)


@model.command()
@click.argument("name")
@_team
@as_json_option
@plainly
def show(name: str, team: str | None, as_json: bool) -> None:
    """NAME's versions, the newest first, or one version as NAME@VERSION or NAME@ALIAS."""
    if "@" in name:
        _show_version(name, team, as_json)
        return
    found = client.model_versions(name, team)
    if as_json:
        click.echo(json_text([each.data for each in found]))
        return
    rows = []
    for each in found:
        data = each.data
        rows.append((str(each.number), each.state, data["job"], data["registered_by"], " ".join(each.aliases)))
    table(("VERSION", "STATE", "JOB", "BY", "ALIASES"), rows)


def _show_version(text: str, team: str | None, as_json: bool) -> None:
    name, at = client.reference(text)
    asked = {} if team is None else {"tenant": team}
    found = default_session().get(f"/models/{name}/versions/{at}", asked)
    if as_json:
        click.echo(json_text(found))
        return
    told = found["version"]
    for label, value in (
        ("version", f"{told['model']}@{told['version']} {' '.join(told['aliases'])}"),
        ("state", f"{told['state']} {told['why']}"),
        ("digest", told["digest"]),
        ("job", f"{told['job']} (attempt {told['attempt']})"),
        ("by", f"{told['registered_by']}, {told['registered_at']}"),
        ("runs code", ", ".join(told["runs_code"]) or "none of its files, as far as is known"),
        ("note", told["note"]),
    ):
        click.echo(f"{click.style(f'{label:<10}', bold=True)} {line(value.strip())}")
    rows = [(file["name"], str(file["size"]), file["sha256"][:16]) for file in found["files"]]
    table(("FILE", "BYTES", "SHA-256"), rows)


@model.command()
@click.argument("name")
@click.argument("job_id")
@click.option("--files", default="", help="A folder or file among what the job gave back; by default all.")
@click.option("--note", default="", help="A word about it, for people.")
@as_json_option
@plainly
def register(name: str, job_id: str, files: str, note: str, as_json: bool) -> None:
    """Register what JOB_ID gave back as a version of NAME, for example: register fraud j0123 --files model/"""
    made = client.register(job_id, name, files, note)
    click.echo(json_text(made.data) if as_json else line(f"{made.model}@{made.number} {made.state} {made.digest}"))
    if made.data["runs_code"] and not as_json:
        click.echo(line(f"Reading these runs code that is in them: {', '.join(made.data['runs_code'])}"), err=True)


@model.command()
@click.argument("version")
@click.argument("alias")
@_reason
@_team
@as_json_option
@plainly
def promote(version: str, alias: str, reason: str, team: str | None, as_json: bool) -> None:
    """Let ALIAS lead to VERSION once all of it was looked at, for example: promote fraud@3 prod"""
    _told(client.promote(version, alias, reason, tenant=team), version.partition("@")[0], as_json)


@model.command()
@click.argument("place")
@click.option("--to", "version", type=click.IntRange(1), help="The version; by default the one before.")
@_why
@_team
@as_json_option
@plainly
def rollback(place: str, version: int | None, reason: str, team: str | None, as_json: bool) -> None:
    """Let an alias lead to a version that it has led to, and freeze it: rollback fraud@prod --reason "it is worse" """
    _told(client.rollback(place, reason, version, tenant=team), place.partition("@")[0], as_json)


@model.command()
@click.argument("place")
@_reason
@_team
@as_json_option
@plainly
def freeze(place: str, reason: str, team: str | None, as_json: bool) -> None:
    """Let nobody promote an alias until it is thawed: freeze fraud@prod"""
    _told(client.freeze(place, reason, tenant=team), place.partition("@")[0], as_json)


@model.command()
@click.argument("place")
@_reason
@_team
@as_json_option
@plainly
def thaw(place: str, reason: str, team: str | None, as_json: bool) -> None:
    """Let a frozen alias be promoted again: thaw fraud@prod"""
    _told(client.freeze(place, reason, thaw=True, tenant=team), place.partition("@")[0], as_json)


@model.command()
@click.argument("version")
@_team
@as_json_option
@plainly
def verify(version: str, team: str | None, as_json: bool) -> None:
    """Have the service look at VERSION anew: every byte, the signatures, and where it comes from."""
    name, at = client.reference(version)
    found = default_session().change(client.version_path(name, at, "verify", team))
    if as_json:
        click.echo(json_text(found))
    elif found["ok"]:
        click.echo(line(f"{name}@{found['version']['version']} is what was registered (key {found['key'][:12]})"))
    else:
        table(("FIELD", "WHAT IS WRONG"), [(each["field"], each["message"]) for each in found["troubles"]])
    sys.exit(0 if found["ok"] else 1)


@model.command()
@click.argument("version")
@_whose_team
@_why
@as_json_option
@plainly
def release(version: str, team: str, reason: str, as_json: bool) -> None:
    """Let people use VERSION again that is quarantined and whose files are back; for the hub's administrators."""
    _restored(version, "release", team, reason, as_json)


@model.command()
@click.argument("version")
@_whose_team
@_why
@as_json_option
@plainly
def sign(version: str, team: str, reason: str, as_json: bool) -> None:
    """Sign VERSION with the key in use after its own was revoked; for the hub's administrators."""
    _restored(version, "sign", team, reason, as_json)


def _restored(version: str, how: str, team: str, reason: str, as_json: bool) -> None:
    name, at = client.reference(version)
    found = default_session().change(client.version_path(name, at, how, team), {"reason": reason})
    told = f"{name}@{found['version']['version']} is {found['version']['state']}, signed by key {found['key'][:12]}"
    click.echo(json_text(found) if as_json else line(told))


@model.command()
@click.argument("version")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to; by default below the home folder.")
@click.option(
    "--key", "keys", multiple=True, type=click.Path(exists=True), help="Public key to believe; may be repeated."
)
@_team
@plainly
def load(version: str, folder: Path | None, keys: tuple[str, ...], team: str | None) -> None:
    """Fetch VERSION's files, check the signature and every byte, and print where they are."""
    click.echo(str(client.load_model(version, folder, keys=keys, tenant=team)))


@model.command()
@click.argument("version")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; by default <model>-evidence.zip.")
@_team
@plainly
def evidence(version: str, output: Path | None, team: str | None) -> None:
    """Save all that was signed of VERSION as one file, which anybody can check without the service."""
    name, at = client.reference(version)
    target = output or Path(f"{name}-evidence.zip")
    path = client.version_path(name, at, "evidence", team)
    with default_session().download(path) as chunks:
        content = b"".join(chunks)
    target.write_bytes(content)
    click.echo(line(str(target)))


@model.command()
@click.argument("version")
@click.option("--format", "form", type=click.Choice(["openlineage", "cyclonedx"]), required=True, help="The form.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; by default the terminal.")
@_team
@plainly
def lineage(version: str, form: str, output: Path | None, team: str | None) -> None:
    """Print the lineage of VERSION, as events of OpenLineage or a bill of materials in CycloneDX 1.6."""
    told = json_text(client.lineage_export(version, form, tenant=team))
    if output is None:
        click.echo(told)
    else:
        output.write_text(f"{told}\n", encoding="utf-8")
        click.echo(line(str(output)))


@model.command("verify-bundle")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "keys", multiple=True, type=click.Path(exists=True), help="Public key to believe.")
@click.option("--files", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The model.")
def verify_bundle(file: Path, keys: tuple[str, ...], folder: Path | None) -> None:
    """Check evidence in FILE without the service, and the model's own files with --files."""
    from ..signing.evidence import BadEvidence, check_evidence
    from ..signing.keys import BadKey, trusted

    try:
        believed = trusted(Path(key).read_text() for key in keys) if keys else None
        findings = check_evidence(file.read_bytes(), believed, folder)
    except (BadEvidence, BadKey) as error:
        raise click.ClickException(line(f"{file}: {error}")) from error
    for finding in findings:
        click.echo(line(f"{'ok   ' if finding.ok else 'WRONG'} {finding.what}"))
    if not keys:
        click.echo("The keys are the file's own: name one that you trust with --key.", err=True)
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _told(moved: dict[str, Any], name: str, as_json: bool) -> None:
    """Tell the outcome of a request about an alias."""
    alias = moved["alias"]
    if as_json:
        click.echo(json_text(moved))
    elif moved["held"]:
        needs = ", ".join(f"{need['count']} of {need['role']}" for need in moved["needs"])
        click.echo(line(f"Nothing has moved: it has to be approved first ({needs}). Ask again then."), err=True)
    else:
        frozen = " (frozen)" if alias["frozen"] else ""
        click.echo(line(f"{name}@{alias['name']} is version {alias['version']}{frozen}"))
    for warning in moved["warnings"]:
        click.echo(line(f"{warning['rule']}: {warning['message']} {warning['fix']}"), err=True)
    sys.exit(_HELD if moved["held"] else 0)


def _aliases(model: dict[str, Any]) -> str:
    return " ".join(f"{each['name']}={each['version'] or '-'}{'*' * bool(each['frozen'])}" for each in model["aliases"])


def _newest(model: dict[str, Any]) -> str:
    newest = model["newest"]
    return "-" if newest is None else f"{newest['version']} {newest['state']}"
