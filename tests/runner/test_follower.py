"""Of several nodes only the first brings anything home."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.runner.follower import Follower, reporter_class
from aifactory_hub.runner.reporter import Reporter


@pytest.mark.parametrize(
    ("environment", "kind"),
    [({}, Reporter), ({"AIFACTORY_NODE": "0"}, Reporter), ({"AIFACTORY_NODE": "1"}, Follower)],
)
def test_the_first_node_or_the_only_one_reports(environment: dict[str, str], kind: type[Reporter]) -> None:
    assert reporter_class(environment) is kind


def test_another_node_sends_nothing(tmp_path: Path) -> None:
    # Whatever it sent to this address would raise.
    follower = Follower("http://service.invalid", "j1", "token", timeout=0.0)
    follower.put_log(b"log")
    follower.put_artifact("model.pt", tmp_path / "model.pt")
    follower.delete_artifact("model.pt")
    follower.post_result({"exit_code": 0})
    follower.post_piece(0, b"piece")
    follower.post_progress({"progress": 1})
    follower.close()
