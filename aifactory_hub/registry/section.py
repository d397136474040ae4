"""What every section of ``tenants.yaml`` is: keys that are all known, each with what it means and an example."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping whose keys are all known, and whose values are of exactly the type that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def key(description: str, example: str, **options: Any) -> Any:
    """A field with its description and an example as one would write it in the file."""
    return Field(description=description, examples=[example], **options)
