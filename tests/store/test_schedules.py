"""Lists of schedules, on both kinds of database."""

from __future__ import annotations

from sqlalchemy import Engine

from aifactory_hub.store import Schedule, Schedules


def make_schedule(number: int, *, tenant: str = "nlp", created_at: float | None = None) -> Schedule:
    return Schedule(
        id=f"s{number:02}",
        tenant=tenant,
        owner="ada",
        key=f"k{number}",
        request_digest="d" * 64,
        request={"command": "true"},
        cron="0 3 * * *",
        time_zone="UTC",
        created_at=float(number) if created_at is None else created_at,
    )


def test_pages_follow_each_other_without_gap_or_double_also_within_one_moment(db: Engine) -> None:
    schedules = Schedules(db)
    made = [schedules.add(make_schedule(n, tenant=("nlp", "vision")[n % 2], created_at=n // 4)) for n in range(12)]
    schedules.add(make_schedule(99, tenant="other"))
    seen: list[Schedule] = []
    for _ in range(3):
        seen += schedules.newest(["vision", "nlp"], limit=5, before=seen[-1] if seen else None)
    assert seen == made[::-1]
    assert schedules.newest(["nlp"], limit=50) == made[-2::-2]
    assert schedules.newest([], limit=5) == []
