"""The team's jobs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .api import default_session, get
from .job import Job
from .notices import tell
from .runs import as_csv, best, ordered, rows, value_of, without
from .session import Session

_PAGE = 200
# Jobs that one question is for: their ids are in its address.
_AT_ONCE = 200
_NAMED = 5


class JobTable(list[Job]):
    """Some jobs; in a notebook, a table that keeps itself up to date, with parameters and metrics as columns."""

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        *,
        sorted_by: str | None = None,
        descending: bool = False,
        metrics: Sequence[str] = (),
    ) -> None:
        super().__init__(jobs)
        self.sorted_by = sorted_by
        self.shown_metrics = tuple(metrics)
        self._descending = descending

    def table(self, sort: str | None = None, *, descending: bool = False, metrics: Sequence[str] = ()) -> JobTable:
        """The same jobs, asked for now, sorted by a metric, a parameter or a column; jobs without it come last.

        ``metrics`` are those to show. The table stays sorted while it updates itself. Raises ClientError when no job
        has what is to be sorted by.
        """
        found = JobTable(self, sorted_by=sort, descending=descending, metrics=metrics).copy().refresh()
        if sort is not None and not found._sortable():
            ordered(found, sort)  # raises
        return found

    def best(self, metric: str, *, lowest: bool = False) -> Job:
        """The job with the highest last value of a metric, or the ``lowest``, asked for now.

        Jobs that have none are named in a note. Raises ClientError when no job has one.
        """
        self.refresh()
        found = best(self, metric, lowest=lowest)
        left = without(self, metric)
        if left:
            named = ", ".join(f"{job.id} {job.state}" for job in left[:_NAMED])
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            tell(f"{len(left)} of {len(self)} jobs have no number as {metric}: {named}{more}")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each job with its parameters and last metrics: ``pandas.DataFrame`` takes them."""
        return rows(self)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The rows as CSV, and into the file ``path`` if one is named."""
        text = as_csv(self.rows())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def copy(self) -> JobTable:
        """The jobs as they are now, apart from these."""
        apart = (Job(job._session, job.data) for job in self)
        how = {"sorted_by": self.sorted_by, "descending": self._descending, "metrics": self.shown_metrics}
        return JobTable(apart, **how)  # type: ignore[arg-type]

    def _sortable(self) -> bool:
        """Whether there is something to sort by; before the first report there is not."""
        return any(value_of(job, str(self.sorted_by)) is not None for job in self) or not any(j.final for j in self)

    def _repr_html_(self) -> str:
        from .table_display import table_html

        return table_html(self)

    def _ipython_display_(self) -> None:
        from .table_display import show_table

        show_table(self)

    def wait(self, timeout: float | None = None) -> list[str]:
        """Wait for all of them; their final states in order. Raises TimeoutError; the jobs go on."""
        import time

        give_up = None if timeout is None else time.monotonic() + timeout
        return [
            job.wait(None if give_up is None else max(0.0, give_up - time.monotonic()), progress=False) for job in self
        ]

    def results(self) -> list[Any]:
        """What each function returned, in order. Raises what the first that did not return raised."""
        return [job.result() for job in self]

    def refresh(self) -> JobTable:
        """Ask for all that have not ended again, many with one question, and sort them anew if they were sorted."""
        live = [job for job in self if not job.final]
        for begin in range(0, len(live), _AT_ONCE):
            some = {job.id: job for job in live[begin : begin + _AT_ONCE]}
            session = next(iter(some.values()))._session
            answer = session.get("/jobs", {"id": list(some), "limit": len(some)})
            for data in answer["jobs"]:
                some[data["id"]]._data = data
        if self.sorted_by is not None and any(value_of(job, self.sorted_by) is not None for job in self):
            self[:] = ordered(self, self.sorted_by, descending=self._descending)
        return self

    def cancel(self) -> JobTable:
        """Stop all that have not ended."""
        for job in self:
            if not job.final:
                job.cancel()
        return self


class Jobs:
    """``jobs.list()`` and ``jobs.get(id)``."""

    def list(
        self,
        *,
        mine: bool = False,
        state: str | Sequence[str] = (),
        text: str = "",
        limit: int = 50,
        tenant: str | None = None,
        session: Session | None = None,
    ) -> JobTable:
        """The newest jobs of the notebook's teams first: only one's own, in some states, with something in them."""
        return JobTable(self.each(mine=mine, state=state, text=text, limit=limit, tenant=tenant, session=session))

    def each(
        self,
        *,
        mine: bool = False,
        state: str | Sequence[str] = (),
        text: str = "",
        limit: int | None = None,
        tenant: str | None = None,
        session: Session | None = None,
    ) -> Iterator[Job]:
        """As ``list``, one after the other, from as many pages as it takes."""
        session = session or default_session()
        states = [state] if isinstance(state, str) else [*state]
        params: dict[str, Any] = {"mine": str(mine).lower(), "state": states, "text": text, "tenant": tenant}
        params = {name: value for name, value in params.items() if value}
        left, before = limit, None
        while left is None or left > 0:
            page = _PAGE if left is None else min(left, _PAGE)
            answer = session.get("/jobs", {**params, "limit": page, **({"before": before} if before else {})})
            yield from (Job(session, data) for data in answer["jobs"])
            left = None if left is None else left - len(answer["jobs"])
            before = answer["next"]
            if before is None:
                return

    def table(
        self, *, sort: str | None = None, descending: bool = False, metrics: Sequence[str] = (), **which: Any
    ) -> JobTable:
        """As ``list``, with parameters and ``metrics`` as columns, sorted by one of them; see JobTable.table."""
        return self.list(**which).table(sort, descending=descending, metrics=metrics)

    def get(self, job_id: str, *, session: Session | None = None) -> Job:
        """The job with this id. Raises UnknownJob."""
        return get(job_id, session=session)


jobs = Jobs()
