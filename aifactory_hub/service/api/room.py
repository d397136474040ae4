"""Who holds what of the service's disk."""

from __future__ import annotations

from ..file_answer_types import RoomAnswer
from .base import Handler
from .operations import Access, operation

_MOST_HOLDERS = 100


class SiteRoom(Handler):
    """For the site's administrator: ``aifactory-hub doctor`` shows it."""

    @operation("getRoom", "The service's disk, and who holds most of it.", answer=RoomAnswer, access=Access.SITE)
    async def get(self) -> None:
        """Counted anew."""
        self.check_shared_token()
        room, jobs = self.context.room, self.context.registry.jobs
        await room.recount()
        disk = await room.disk()
        held = [(sum(kinds.values()), *who, dict(kinds)) for who, kinds in room.holders().items()]
        held.sort(key=lambda each: (-each[0], *each[1:3]))
        self.answer(
            {
                "disk_total": disk.total,
                "disk_free": max(0, disk.free),
                "keep_free": jobs.keep_free,
                "room_per_person": jobs.room_per_person,
                "room_per_team": jobs.room_per_team,
                "holders": [
                    {"tenant": tenant, "owner": owner, "total": total, "kinds": kinds}
                    for total, tenant, owner, kinds in held[:_MOST_HOLDERS]
                ],
            }
        )
