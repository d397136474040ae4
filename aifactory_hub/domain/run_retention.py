"""Which runs of pipelines are removed once their time is over, and which are kept because something refers to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunReferences:
    """What refers to an ended run: a version of a model that it made or registered, a deployment that it made, a job of
    it that goes on or of which files are kept, a later run that repeats it or took a result of it."""

    run: str
    version: bool = False
    deployment: bool = False
    job: bool = False
    later_run: bool = False

    @property
    def any(self) -> bool:
        """Whether something does."""
        return self.version or self.deployment or self.job or self.later_run


def removable(found: Iterable[RunReferences]) -> tuple[str, ...]:
    """The runs that nothing refers to, in order."""
    return tuple(each.run for each in found if not each.any)
