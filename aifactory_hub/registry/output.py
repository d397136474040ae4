"""Plain data as YAML that people can read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

# Text that a reader of YAML 1.1 takes for something else: kubectl, Helm and PyYAML read that version. ruamel writes
# 1.2, where these are plain text, and quotes by itself what is a number in either.
_NO_TEXT_IN_1_1 = re.compile(
    r"y|n|yes|no|on|off|=|<<|[-+]?0b[01_]+|[-+]?[0-9]+_[0-9_]*(\.[0-9_]*)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?[0-9]*\.[0-9_]+([eE][-+][0-9]+)?|0[0-7_]+",
    re.IGNORECASE,
)


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
        return {_with_blocks(key): _with_blocks(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_with_blocks(item) for item in data]
    if not isinstance(data, str):
        return data
    if "\n" in data:
        return LiteralScalarString(data)
    return DoubleQuotedScalarString(data) if _NO_TEXT_IN_1_1.fullmatch(data) else data
