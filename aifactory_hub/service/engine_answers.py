"""What the service says of engines and of what teams have published for them: the forms, and how they are made.

As in ``answer_types`` and ``answers``, which have the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from ..domain.engines import EngineFacts, Published
from .answer_types import Simulated


class EngineAnswer(TypedDict):
    """An engine, and what may be asked of it: ``publishes`` is the kind of what a team publishes for it."""

    name: str
    summary: str
    default: Annotated[bool, Field(description="Whether it runs the jobs that name no engine.")]
    publishes: str | None
    runs_commands: bool
    most_nodes: int


class EnginesAnswer(TypedDict):
    """The engines that run jobs here."""

    engines: list[EngineAnswer]
    simulated: Simulated


class ParameterAnswer(TypedDict):
    """What a template lets be set; ``default`` null: it must be."""

    name: str
    default: str | None
    description: str | None
    choices: list[str]


class TemplateAnswer(TypedDict):
    """What a team has published for an engine to run."""

    engine: str
    name: str
    description: str | None
    parameters: list[ParameterAnswer]


class TemplatesAnswer(TypedDict):
    """What a team has published. ``unavailable`` names engines that could not be asked, each with why."""

    tenant: str
    templates: list[TemplateAnswer]
    unavailable: dict[str, str]
    simulated: Simulated


def engines_answer(engines: Mapping[str, EngineFacts], *, simulated: bool) -> EnginesAnswer:
    """The engines, the first one first."""
    first = next(iter(engines))
    return {
        "engines": [
            {
                "name": engine.name,
                "summary": engine.summary,
                "default": engine.name == first,
                "publishes": engine.publishes,
                "runs_commands": engine.runs_commands,
                "most_nodes": engine.most_nodes,
            }
            for engine in engines.values()
        ],
        "simulated": simulated,
    }


def template_answer(template: Published) -> TemplateAnswer:
    """What a team has published."""
    return {
        "engine": template.engine,
        "name": template.name,
        "description": template.description,
        "parameters": [
            {"name": p.name, "default": p.default, "description": p.description, "choices": list(p.choices)}
            for p in template.parameters
        ],
    }
