"""What is likely to surprise in a rule that can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..domain.gates import Rule
from ..domain.verdicts import Target

# What a view may lack, and how a rule asks for it.
_MAY_LACK = {
    "user.role": "has(user.role)",
    "cost.most": "cost.known",
    "cost.hourly": "cost.known",
    "devices.total": "devices.known",
    "devices.by_resource": "devices.known",
}


def advice(rule: Rule) -> Iterator[str]:
    """Each piece of it as a sentence."""
    text = " ".join((rule.condition, rule.holds, *rule.variables.values()))
    for name, guard in _MAY_LACK.items():
        if re.search(rf"\b{re.escape(name)}\b", text.replace(guard, "")) and guard not in text:
            yield f"{name} is not always known, and then the rule refuses: ask for {guard} first."
    if rule.target is Target.POD and re.search(r"object\.metadata\.(labels|annotations|name)\b", text):
        yield "names, labels and annotations of a pod are other ones on the host: judge its spec."
    if all(case.message is None for case in rule.cases if not case.passes):
        yield "no case says which message people read: add message to one that fails."
    if rule.id in rule.title:
        yield "its title is its id: say what the rule wants."
