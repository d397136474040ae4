"""Plain data as YAML that people can read."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString


def yaml_documents(documents: Iterable[Any]) -> str:
    """The documents as YAML text, separated by ``---``; texts of several lines are written as blocks."""
    yaml = YAML(typ="rt")
    yaml.default_flow_style = False
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    # Objects share lists here; anchors and aliases would be right and hard to read.
    yaml.representer.ignore_aliases = lambda *_: True
    texts = []
    for document in documents:
        stream = StringIO()
        yaml.dump(_with_blocks(document), stream)
        texts.append(stream.getvalue())
    return "---\n".join(texts)


def _with_blocks(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _with_blocks(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_with_blocks(item) for item in data]
    return LiteralScalarString(data) if isinstance(data, str) and "\n" in data else data
