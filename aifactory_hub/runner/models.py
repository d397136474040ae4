"""Fetches the models that a job was submitted with, and checks signature and every byte before the command starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..untrusted.manifests import path_problem
from .reporter import Reporter

# Which version of each model is there, for load_model.
INDEX = "models.json"


class BadModel(Exception):
    """A model is not the one that was signed, or can't be checked; the text says which and why."""


def fetch_models(reporter: Reporter, folder: Path) -> int:
    """Put the job's models below ``folder``, each in a folder of its name; how many. Raises BadModel, NotDelivered."""
    told = reporter.list_models()
    if not told["models"]:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for each in told["models"]:
        about = each["version"]
        name = str(about["model"])
        if path_problem(name) is not None or "/" in name:
            raise BadModel(f"{name[:80]!r} is no name of a model")
        files = _signed(each, told["keys"])
        for file, sha256 in files.items():
            target = folder / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            reporter.fetch_model_file(str(about["id"]), file, target, sha256)
        index[name] = {"version": about["version"], "files": sorted(files)}
    (folder / INDEX).write_text(json.dumps(index))
    return len(index)


def _signed(given: Mapping[str, Any], keys: list[Mapping[str, Any]]) -> dict[str, str]:
    """Names and digests that the model's signature is over. Raises BadModel."""
    try:
        from ..signing.dsse import BadEnvelope
        from ..signing.keys import BadKey, KeyFacts, check, key_id
        from ..signing.oms import envelope_in, files_of
    except ImportError as error:
        raise BadModel("signatures can't be checked in this image: it lacks the package `cryptography`") from error
    about = given["version"]
    name = f"{about['tenant']}/{about['model']}"
    try:
        known = {key_id(key["public"]): key for key in keys}
        facts = {
            id: KeyFacts(id, key["public"], revoked=None if key["revoked"] is None else 0.0, why=str(key["why"]))
            for id, key in known.items()
        }
        envelope = envelope_in(given["bundle"] or {})
        problem = check(envelope, facts).problem
        statement = envelope.statement()
        files = files_of(statement)
    except (BadEnvelope, BadKey) as error:
        raise BadModel(f"the signature of {name} can't be read: {error}") from error
    if problem is not None:
        raise BadModel(f"{name} is not believed: {problem}")
    if statement["subject"][0]["name"] != name or files.digest != about["digest"]:
        raise BadModel(f"the signature is not that of this version of {name}")
    wrong = [file.name for file in files.files if path_problem(file.name) is not None]
    if wrong:
        raise BadModel(f"{name} has a file with a name that leads elsewhere: {wrong[0][:80]!r}")
    return {file.name: file.sha256 for file in files.files}
