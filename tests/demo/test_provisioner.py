"""What the demo says of teams that nobody makes."""

from __future__ import annotations

from aifactory_hub.demo.provisioner import Quiet, next_record
from aifactory_hub.domain.provisioning import APPLIED, Stage
from aifactory_hub.domain.team_records import TeamRecord


def test_a_team_that_was_asked_for_passes_all_stages_and_stays_ready() -> None:
    record, seen = None, []
    for second in range(10):
        record = next_record(record, asked_for=True, now=float(second))
        seen.append(record.stage)
        assert "(simulated)" in record.sentence
    assert record is not None and record.opened == 6.0
    assert [stage for stage in seen if stage in APPLIED] == list(APPLIED)
    assert seen[6:] == [Stage.READY] * 4


def test_a_team_of_the_file_has_been_there_for_long() -> None:
    record = next_record(None, asked_for=False, now=5.0)
    assert (record.stage, record.opened) == (Stage.READY, 5.0)


def stages(record: TeamRecord, *looks: tuple[float, int | None], after: float | None = 60.0) -> list[Stage]:
    """The stages that follow when the team has so many tickets at these times."""
    seen = []
    for now, tickets in looks:
        record = next_record(record, asked_for=True, now=now, quiet=Quiet(tickets, after))
        seen.append(record.stage)
    return seen


READY = TeamRecord(Stage.READY, 0.0, opened=0.0)


def test_a_team_sleeps_when_it_is_quiet_and_wakes_for_a_start() -> None:
    looks = ((59.0, 0), (60.0, 0), (61.0, 0), (62.0, 1), (63.0, 1), (122.0, 1), (181.0, 0), (182.0, 0))
    assert stages(READY, *looks) == [
        *(Stage.READY, Stage.ASLEEP, Stage.ASLEEP, Stage.WAKING, Stage.READY),
        *(Stage.READY, Stage.READY, Stage.ASLEEP),
    ], "60 s after it was used last"


def test_what_is_not_known_puts_no_team_to_sleep_and_wakes_none() -> None:
    assert stages(READY, (1000.0, None)) == [Stage.READY]
    asleep = TeamRecord(Stage.ASLEEP, 0.0, opened=0.0)
    assert stages(asleep, (1000.0, None)) == [Stage.ASLEEP]
    assert stages(READY, (1000.0, 0), after=None) == [Stage.READY], "without sleep_after"
