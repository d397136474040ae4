"""The chart as the tests use it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.chart_files import chart_files
from tests.cluster.programs import program
from tests.cluster.settings import layout

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/aifactory-hub"
TENANTS = ROOT / "tests/e2e/tenants.yaml"
NAMESPACE = "aifactory-system"

Object = dict[str, Any]


def rendered_files() -> dict[str, str]:
    """What the chart's generated files have to be."""
    return chart_files(replace(load_registry(TENANTS), hub="hub-with-an-unmistakable-name"))


def helm(*arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    argv = [program(layout(), "helm"), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)


def template(*arguments: object, tenants: bool = True, namespace: str = NAMESPACE) -> subprocess.CompletedProcess[str]:
    """``helm template`` with the tenants of the tests, and whatever else is given."""
    ours = ("--set-file", f"tenants.inline={TENANTS}", "--set", "hubName=e2e") if tenants else ()
    place = ("--namespace", namespace, "--kube-version", "1.35.0")
    return helm("template", "aifactory-hub", CHART, *place, *ours, *arguments)


def documents(text: str) -> list[Object]:
    return [each for each in YAML(typ="safe", pure=True).load_all(text) if each]


def one(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found
