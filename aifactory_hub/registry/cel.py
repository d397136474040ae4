"""CEL, the language of Kubernetes' admission policies: literals, and lists that end in ``*`` as an expression."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from .manifests import Manifest

# CEL's parser refuses longer expressions (its default; Kubernetes does not change it).
LONGEST_EXPRESSION = 100_000
# A message that is longer is dropped by the API server (5 KiB), so no list is written out in full.
_NAMED_IN_MESSAGES = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation of an admission policy: CEL that has to be true, and CEL of what is said where it is not."""

    expression: str
    message: str

    def manifest(self) -> Manifest:
        return {"expression": self.expression, "messageExpression": self.message, "reason": "Forbidden"}


def literal(text: str) -> str:
    """The text as CEL writes it. Line breaks and quotes are escaped as in JSON."""
    return json.dumps(text, ensure_ascii=False)


def literals(texts: Iterable[str]) -> str:
    """The list as CEL writes it."""
    return f"[{', '.join(map(literal, texts))}]"


def listed(texts: Iterable[str]) -> str:
    """The first few of them for a message, as a CEL string."""
    texts = list(texts)
    more = len(texts) - _NAMED_IN_MESSAGES
    return literal(", ".join(texts[:_NAMED_IN_MESSAGES]) + (f" and {more} more" if more > 0 else ""))


def matches(value: str, patterns: Iterable[str]) -> str:
    """CEL: whether ``value`` (CEL) is one of the patterns; one that ends in ``*`` stands for all that begin like it."""
    patterns = list(dict.fromkeys(patterns))
    whole = [each for each in patterns if not each.endswith("*")]
    starts = [each[:-1] for each in patterns if each.endswith("*")]
    return f"({value} in {literals(whole)} || {literals(starts)}.exists(start, {value}.startsWith(start)))"
