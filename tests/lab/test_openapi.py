"""The panel's types are the service's own: both files in labextension/ are made from its OpenAPI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aifactory_hub.service.api.app import describe

OPENAPI = Path(__file__).resolve().parents[2] / "labextension/openapi.json"


def test_the_panel_knows_the_service_as_it_is(request: pytest.FixtureRequest) -> None:
    """After a change: pytest tests/lab/test_openapi.py --update-golden, then labextension/build.py npm run types."""
    text = json.dumps(describe("/services/aifactory/"), indent=2, sort_keys=True) + "\n"
    if request.config.getoption("--update-golden"):
        OPENAPI.write_text(text)
    assert text == OPENAPI.read_text(), "labextension/openapi.json is not the service's: see this test's docstring"


def test_no_two_answers_have_one_name() -> None:
    """Where two have, the description names both by their modules, and whoever reads it knows neither."""
    assert [name for name in describe("/services/aifactory/")["components"]["schemas"] if "__" in name] == []
