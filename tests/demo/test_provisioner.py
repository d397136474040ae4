"""What the demo says of teams that nobody makes."""

from __future__ import annotations

from aifactory_hub.demo.provisioner import next_record
from aifactory_hub.domain.provisioning import APPLIED, Stage


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
