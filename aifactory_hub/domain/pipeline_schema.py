"""The form of a pipeline file as a JSON Schema, and a check of plain data against the part of JSON Schema used here.

Editors and other tools read the same schema: docs/reference/pipeline.schema.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .datasets import LONGEST_REFERENCE, MOST_OF_A_JOB
from .deployments import MOST_REPLICAS, Framework
from .pipeline_conditions import STEP_NAME
from .pipelines import MOST_INPUTS, MOST_OF_A_MATRIX, MOST_STEPS

VERSION = "aifactory-hub.io/pipeline/v1"
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_LONGEST_TEXT = 32_768

_LINE = {"type": "string", "minLength": 1, "maxLength": 255}
_TEXT = {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT}
_VALUE = {"type": ["string", "number", "boolean"]}
_STEP_NAME = {"type": "string", "pattern": f"^{STEP_NAME.pattern}$"}
_ENVIRONMENT = {
    "type": "object",
    "additionalProperties": _VALUE,
    "maxProperties": 256,
    "propertyNames": {"pattern": f"^{_VARIABLE}$"},
}
_PATTERNS = {"type": "array", "items": _LINE, "maxItems": 64}


def _about(text: str, what: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, **what}


_COMMON = {
    "profile": _about("The profile that its job runs in; without it the one of `defaults`.", _LINE),
    "environment": _about(
        "Variables for its job. They are no place for secrets: who reads the file reads them.", _ENVIRONMENT
    ),
    "retries": _about(
        "How often a job is tried again after a failure.", {"type": "integer", "minimum": 0, "maximum": 100}
    ),
    "max_seconds": _about(
        "How long an attempt may run, in seconds.", {"type": "integer", "minimum": 1, "maximum": 31_622_400}
    ),
}
_NEEDED = _about("The needed step that is meant; it may be left out where the step needs one only.", _STEP_NAME)
_REGISTER = {
    "type": ["string", "object"],
    "minLength": 1,
    "maxLength": 63,
    "additionalProperties": False,
    "required": ["model"],
    "properties": {
        "model": _about("The name of the model.", {"type": "string", "minLength": 1, "maxLength": 63}),
        "step": _NEEDED,
        "files": _about(
            "A folder or file among what it gave back; without it all.", {"type": "string", "maxLength": 500}
        ),
        "note": _about("A word about the version, for people.", _LINE),
        "best": _about(
            "Which of the step's jobs is meant, such as `max(train.accuracy)`. For a step with a matrix.", _LINE
        ),
    },
}
_PROMOTE = {
    "type": ["string", "object"],
    "minLength": 1,
    "maxLength": 32,
    "additionalProperties": False,
    "required": ["alias"],
    "properties": {
        "alias": _about("The alias, such as `prod`.", {"type": "string", "minLength": 1, "maxLength": 32}),
        "step": _NEEDED,
        "reason": _about("Why, for the alias's history.", _LINE),
    },
}
_DEPLOY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "profile"],
    "properties": {
        "name": _about("The name under which it answers.", {"type": "string", "minLength": 1, "maxLength": 40}),
        "profile": _about("The profile of each replica.", _LINE),
        "step": _NEEDED,
        "replicas": _about("How many.", {"type": "integer", "minimum": 1, "maximum": MOST_REPLICAS}),
        "framework": _about(
            "What serves the files; `auto`, the default, goes by what they are.",
            {"type": "string", "enum": [each.value for each in Framework]},
        ),
        "command": _about("For framework `command`: what to run.", _TEXT),
        "example": _about("A request that a release has to answer before it serves.", {"type": "object"}),
        "recreate": _about("End the release before first.", {"type": "boolean"}),
    },
}
_CACHE = {
    "type": ["boolean", "object"],
    "additionalProperties": False,
    "required": ["inputs"],
    "properties": {
        "inputs": _about(
            "Patterns of the files of the run that decide, such as `src/**`. Files of needed steps decide in any case.",
            {"type": "array", "items": _LINE, "minItems": 1, "maxItems": MOST_INPUTS, "uniqueItems": True},
        ),
    },
}
_STEP = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "command": _about("What to run, by `sh -c`, in the folder with the files.", _TEXT),
        "notebook": _about("A notebook to run, by its path in the repository.", _LINE),
        "template": _about("What the team has published for the engine, by its name.", _LINE),
        "engine": _about("What runs it; by default the service's first engine.", _LINE),
        "parameters": _about(
            "Parameters of the notebook or template.",
            {"type": "object", "additionalProperties": _VALUE, "maxProperties": 100},
        ),
        **_COMMON,
        "needs": _about(
            "Steps that have to succeed first.",
            {"type": "array", "items": _STEP_NAME, "maxItems": MOST_STEPS, "uniqueItems": True},
        ),
        "files": _about(
            "Which files of needed steps it gets, by patterns. A needed step that is not named gives all of its files; "
            "with an empty list it gives none.",
            {"type": "object", "additionalProperties": _PATTERNS, "propertyNames": _STEP_NAME},
        ),
        "outputs": _about(
            "Patterns of the files that it gives back; by default all that are new or changed.", _PATTERNS
        ),
        "metrics": _about(
            "Environment variables with the last value of a needed step's metric, as `step.metric`.",
            {
                "type": "object",
                "additionalProperties": _LINE,
                "maxProperties": 64,
                "propertyNames": {"pattern": f"^{_VARIABLE}$"},
            },
        ),
        "when": _about(
            "Conditions on metrics of needed steps, such as `train.accuracy >= 0.9`. Unless all are met, the step and "
            "what needs it are left out.",
            {"type": ["string", "array"], "items": _LINE, "maxItems": 20},
        ),
        "matrix": _about(
            "One job for each combination of these values. A command gets them as environment variables, a notebook or "
            "template as parameters.",
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": MOST_OF_A_MATRIX},
                "propertyNames": {"pattern": f"^{_VARIABLE}$"},
                "minProperties": 1,
                "maxProperties": 5,
            },
        ),
        "nodes": _about(
            "How many nodes it runs on, each with the whole profile.",
            {"type": "integer", "minimum": 1, "maximum": 1000},
        ),
        "register": _about(
            "Register what a needed step gave back as a version of a model; as a text, the model's name.", _REGISTER
        ),
        "promote": _about(
            "Let an alias lead to the version that a needed step registered; as a text, the alias.", _PROMOTE
        ),
        "deploy": _about("Let what a needed step promoted, or registered, answer under a name.", _DEPLOY),
        "data": _about(
            "Versions of datasets and models that its jobs are given: `claims@3`, `claims@latest`, `model:fraud@prod`.",
            {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_REFERENCE},
                "maxItems": MOST_OF_A_JOB,
                "uniqueItems": True,
            },
        ),
        "cache": _about(
            "Whether an earlier job of the team counts where all that decides its result is the same. Off by default: "
            "it is for steps that read nothing but their files, data, variables and metrics.",
            _CACHE,
        ),
    },
}
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A pipeline of AIFactory Hub",
    "description": "The file .aifactory/pipeline.yaml of a repository.",
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "steps"],
    "properties": {
        "apiVersion": _about("Version of the format.", {"type": "string", "enum": [VERSION]}),
        "name": _about("What people call it.", _LINE),
        "defaults": _about(
            "What holds for every step that does not say otherwise.",
            {"type": "object", "additionalProperties": False, "properties": _COMMON},
        ),
        "steps": _about(
            "The steps, by name.",
            {
                "type": "object",
                "additionalProperties": _STEP,
                "propertyNames": _STEP_NAME,
                "minProperties": 1,
                "maxProperties": MOST_STEPS,
            },
        ),
    },
}

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of a pipeline file, and what to do about it."""

    place: Place
    message: str

    def __str__(self) -> str:
        """With the place: ``steps.train.profile: ...``."""
        return f"{'.'.join(map(str, self.place)) or 'the file'}: {self.message}"


def form_faults(value: Any, schema: Mapping[str, Any] = SCHEMA, place: Place = ()) -> Iterator[Fault]:
    """What keeps a value from having the schema's form; the first fault of each place."""
    wanted = schema.get("type")
    if wanted is not None and not any(_is(value, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
        yield Fault(place, f"{_shown(value)} is not {_kinds(wanted)}")
        return
    if "enum" in schema and value not in schema["enum"]:
        yield Fault(place, f"write {' or '.join(map(str, schema['enum']))}, not {_shown(value)}")
    if isinstance(value, str):
        yield from _text_faults(value, schema, place)
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, place)
    elif isinstance(value, list):
        yield from _list_faults(value, schema, place)
    elif _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield Fault(place, f"{value} is not between {schema['minimum']} and {schema['maximum']}")


def _text_faults(value: str, schema: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    if len(value) < schema.get("minLength", 0):
        yield Fault(place, "it is empty")
    elif len(value) > schema.get("maxLength", len(value)):
        yield Fault(place, f"it has {len(value)} characters, and at most {schema['maxLength']} are allowed")
    elif "pattern" in schema and re.search(schema["pattern"].removesuffix("$") + r"\Z", value) is None:
        yield Fault(place, f"{_shown(value)} is not a name: {_NAMES.get(schema['pattern'], schema['pattern'])}")


_NAMES = {
    f"^{STEP_NAME.pattern}$": "write a lower-case letter, then up to 39 lower-case letters, digits and -",
    f"^{_VARIABLE}$": "write letters, digits and _, the first no digit",
}


def _object_faults(value: Mapping[Any, Any], schema: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield Fault(place, f"{name!r} is missing")
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        least = schema.get("minProperties", 0)
        yield Fault(place, f"it has {len(value)} entries, and {least} to {schema['maxProperties']} are allowed")
        return
    for name, each in value.items():
        if not isinstance(name, str):
            yield Fault((*place, str(name)), "its name is not a text: put it in quotes")
        elif name in known:
            yield from form_faults(each, known[name], (*place, name))
        elif others is False:
            yield Fault((*place, name[:80]), f"there is no such field. Fields: {', '.join(known)}")
        else:
            yield from form_faults(name, schema.get("propertyNames", {}), (*place, name[:80]))
            yield from form_faults(each, others if isinstance(others, dict) else {}, (*place, name[:80]))


def _list_faults(value: list[Any], schema: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        least, most = schema.get("minItems", 0), schema["maxItems"]
        yield Fault(place, f"it has {len(value)} entries, and {least} to {most} are allowed")
        return
    for number, each in enumerate(value):
        yield from form_faults(each, schema.get("items", {}), (*place, number))
        if schema.get("uniqueItems") and each in value[:number]:
            yield Fault((*place, number), f"{_shown(each)} comes twice")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    return isinstance(value, _TYPES[kind])


_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "number": (int, float), "object": dict, "array": list}
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def _kinds(wanted: str | list[str]) -> str:
    return " or ".join(_WORDS[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))


def _shown(value: Any) -> str:
    """A short word for a value; of a long text its beginning."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else ascii(value)[:80]
