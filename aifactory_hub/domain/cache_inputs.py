"""Which of the files of a pipeline's run decide whether a step's earlier result counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .globs import path_fits
from .pipelines import Pipeline, Step

# The sum of the names' characters times that of the patterns': what it takes to compare them grows with it. At the most
# it takes some seconds.
MOST_WORK = 100_000_000


def chosen(names: Iterable[str], step: Step) -> frozenset[str]:
    """The names that fit the step's ``inputs``, and its notebook: it decides in any case. All, where it has none."""
    if not step.inputs:
        return frozenset(names)
    own = None if step.notebook is None else step.notebook.removeprefix("./")
    return frozenset(name for name in names if name == own or any(path_fits(name, pattern) for pattern in step.inputs))


def inputs_problem(pipeline: Pipeline, names: Sequence[str]) -> tuple[str, str] | None:
    """The step and what is wrong with its ``inputs`` for a run with files of these names; None when nothing is.

    Each pattern has to fit a file: what is written wrongly would let an old result count.
    """
    narrowed = [step for step in pipeline.steps if step.inputs]
    patterns = {pattern for step in narrowed for pattern in step.inputs}
    if sum(map(len, names)) * sum(map(len, patterns)) > MOST_WORK:
        message = f"the run has {len(names)} files, too many for {len(patterns)} patterns of cache.inputs"
        return narrowed[0].name, f"{message}. Write fewer or shorter patterns, or send fewer files."
    unfit = {pattern for pattern in patterns if not any(path_fits(name, pattern) for name in names)}
    for step in narrowed:
        for pattern in step.inputs:
            if pattern in unfit:
                message = f"cache.inputs has {pattern!r}, which fits none of the run's {len(names)} files"
                return step.name, f"{message}. Write a pattern that does: files of needed steps decide in any case."
    return None
