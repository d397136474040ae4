"""Checks again and again whether the reader of an open answer may still read it.

Every handler that sends an answer in pieces asks a ``Reader`` before each piece. ``Handler.send_piece`` does so, and
nothing else may send a piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from ..errors import ServiceError, forbidden

# The hub is asked again this many seconds after the last question.
CHECK_EVERY = 20.0
# While the hub is asked, pieces are sent for this many more seconds; after that they wait for its answer.
CHECK_GRACE = 5.0


class Reader:
    """Which teams the reader of one open answer may read.

    ``ask`` returns the teams that the reader may read now, and raises ServiceError when they may read nothing. A hub
    that does not answer (503) changes nothing. The teams only ever become fewer: whoever joins a team opens the answer
    again.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Collection[str]]],
        tenants: Collection[str],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.tenants = frozenset(tenants)
        self._ask = ask
        self._clock = clock or asyncio.get_running_loop().time
        self._asked_at = self._clock()
        self._question: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Ask again if it is time to. Raises ServiceError when the reader may not read any more."""
        age = self._clock() - self._asked_at
        if self._question is None and age >= CHECK_EVERY:
            self._question = asyncio.create_task(self._update(), name="reader check")
        if self._question is not None and (self._question.done() or age >= CHECK_EVERY + CHECK_GRACE):
            question, self._question = self._question, None
            try:
                await question
            finally:
                self._asked_at = self._clock()

    def close(self) -> None:
        """Stop asking: the answer has ended."""
        if self._question is not None:
            self._question.cancel()

    async def _update(self) -> None:
        try:
            now = await self._ask()
        except ServiceError as error:
            if error.status != 503:
                raise
            return
        left = self.tenants.difference(now)
        self.tenants -= left
        if left and not self.tenants:
            raise forbidden(
                f"You may not read the jobs of {_teams(left)} any more, so this answer ends here. "
                "If you are still a member, sign in at the hub again."
            )


def _teams(names: Collection[str]) -> str:
    return ("team " if len(names) == 1 else "teams ") + ", ".join(sorted(names))
