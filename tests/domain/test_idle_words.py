"""What people read about idle servers."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.idle_ladder import IdleAction, IdleRules
from aifactory_hub.domain.idle_words import notice_words, size_without_gpu, stop_words, unused_words
from aifactory_profiles import load_catalogue
from aifactory_profiles.catalogue import SiteProfile


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (IdleAction.STOP, "It is stopped at 1970-01-01 00:20 UTC"),
        (IdleAction.DRY_RUN, "only tries that out: it runs on"),
        (IdleAction.NOTIFY, "Stop it, or move it"),
    ],
)
def test_a_notice_says_what_follows_on_this_site(action: IdleAction, said: str) -> None:
    words = notice_words(600.0, 1200.0, IdleRules(action))
    assert said in words and "since 1970-01-01 00:10 UTC" in words


def test_an_owner_reads_why_and_that_files_are_kept() -> None:
    words = stop_words(600.0, IdleRules(after=2700))
    assert "for 45 min, since 1970-01-01 00:10 UTC" in words and words.endswith("Your files are kept.")


@pytest.mark.parametrize("answer", [{}, {"servers": [{}]}, {"servers": [{"server": "", "notice": {}}]}])
def test_an_answer_that_is_none_raises(answer: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        unused_words(answer)


def test_the_first_size_without_a_device_is_the_one_to_move_to() -> None:
    cpu = SiteProfile("cpu-small", cpu_only=True, cpu_millicores=500, memory_bytes=2**30)
    catalogue = load_catalogue(["h100-80gb"], [cpu])
    assert size_without_gpu(["mig-1g.10gb", "cpu-small"], catalogue) == "cpu-small"
    assert size_without_gpu(["mig-1g.10gb", "gone"], catalogue) is None
