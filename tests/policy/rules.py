"""Files of rules for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

HEAD = "apiVersion: aifactory-hub.io/policy-v1\nrules:\n"


def rule(**changes: Any) -> dict[str, Any]:
    """A rule that can be used: images are named by digest. ``assert_`` stands for ``assert``; None leaves a key out."""
    made: dict[str, Any] = {
        "id": "images-by-digest",
        "title": "Images are named by digest",
        "target": "job",
        "severity": "hard",
        "assert": "job.image.digest != ''",
        "message": "'the image ' + job.image.name + ' is named by a tag'",
        "fix": "Name it by its digest.",
        "field": "image",
        "cases": [{"expect": "pass"}, {"expect": "fail", "view": {"job": {"image": "train:1"}}}],
    }
    made |= {name.rstrip("_"): value for name, value in changes.items()}
    return {name: value for name, value in made.items() if value is not None}


def file_of(*rules: Mapping[str, Any]) -> str:
    """The text of a file with these rules."""
    text: str = yaml.safe_dump({"apiVersion": "aifactory-hub.io/policy-v1", "rules": list(rules)}, sort_keys=False)
    return text
