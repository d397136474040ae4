"""The page on ``tenants.yaml`` names every key, and its example is a file that the hub accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aifactory_hub.registry import read_registry
from aifactory_hub.registry.section import Section

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tenants-yaml.md").read_text(encoding="utf-8")
SECTIONS = Section.__subclasses__()
FIELDS = {
    f"{section.__name__}.{name}": (name, field) for section in SECTIONS for name, field in section.model_fields.items()
}


@pytest.mark.parametrize(("name", "field"), FIELDS.values(), ids=FIELDS)
def test_every_key_has_its_row_with_meaning_and_example(name: str, field: FieldInfo) -> None:
    assert field.examples
    ending = f"| {field.description} | `{field.examples[0]}` |"
    assert any(row.startswith(f"| `{name}` |") and row.endswith(ending) for row in PAGE.splitlines())


def test_the_page_names_no_key_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert sorted(rows) == sorted(name for name, _ in FIELDS.values())


def test_all_sections_of_the_schema_were_found() -> None:
    names = {kind.__name__ for kind in SECTIONS}
    assert {"TenantsFile", "TenantSection", "GroupSection", "StepsSection", "HooksSection", "IdleSection"} <= names
    assert all(issubclass(kind, BaseModel) for kind in SECTIONS)


def test_the_example_is_a_file_that_the_hub_accepts() -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert block is not None
    assert set(read_registry(block[1], "docs/tenants-yaml.md").tenants) == {"nlp", "vision"}
