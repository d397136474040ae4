"""The team's jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .api import default_session, get
from .job import Job
from .session import Session

_PAGE = 200


class JobTable(list[Job]):
    """Some jobs; in a notebook, a table."""

    def _repr_html_(self) -> str:
        from .job_display import table_html

        return table_html(self)

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
        """Ask for all of them again."""
        for job in self:
            if not job.final:
                job.refresh()
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

    def get(self, job_id: str, *, session: Session | None = None) -> Job:
        """The job with this id. Raises UnknownJob."""
        return get(job_id, session=session)


jobs = Jobs()
