"""What would happen to a job."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .prices import price_words
from .printable import line


class DryRun:
    """What the service says of a job that was not submitted. ``data`` is all of it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = dict(data)

    @property
    def accepted(self) -> bool:
        """Whether the service would take the job; if not, ``refusal`` says why."""
        return bool(self.data["accepted"])

    @property
    def refusal(self) -> str | None:
        """Why it would be refused, in a sentence."""
        refusal = self.data["refusal"]
        return None if refusal is None else str(refusal["detail"])

    @property
    def manifest(self) -> list[dict[str, Any]]:
        """What would be created, without secret values."""
        return list(self.data["manifest"])

    @property
    def cost(self) -> dict[str, Any] | None:
        """``at_most`` for the longest that it may run; None in it where the site sets no price."""
        cost: dict[str, Any] | None = self.data["cost"]
        return cost

    @property
    def position(self) -> int | None:
        """How many of the team's would be ahead of it in the queue."""
        position: int | None = self.data["position"]
        return position

    @property
    def expected_wait(self) -> dict[str, Any] | None:
        """For how long it would wait: ``low``, ``high`` and ``most`` in seconds, and in ``words``."""
        wait: dict[str, Any] | None = self.data["expected_wait"]
        return wait

    def lines(self) -> list[str]:
        """In words, a line each."""
        found = ["would be taken" if self.accepted else "would be refused"]
        found += [f"{'yes' if v['ok'] else 'no '}  {v['check']}: {v['detail']}" for v in self.data["verdicts"]]
        if self.cost is not None:
            price = self.cost["at_most"]
            told = "no price is set" if price is None else f"at most {price_words(price, self.cost)}"
            found.append(f"cost: {told} for {self.cost['hours']:g} hours")
        if self.position is not None:
            words = (self.expected_wait or {}).get("words") or "not known for how long"
            found.append(f"queue: {self.position} ahead, {words}")
        if self.data["simulated"]:
            found.append("the GPUs are simulated")
        return [line(each) for each in found]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<DryRun\n{self}>"

    def _repr_html_(self) -> str:
        first, *rest = self.lines()
        listed = "".join(f"<li>{escape(each)}</li>" for each in rest)
        return f"<div><strong>{escape(first)}</strong><ul>{listed}</ul></div>"
