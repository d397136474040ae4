"""Which releases of which Helm charts a cluster runs, by the labels that charts put on what they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Newer charts have the first, Zero to JupyterHub and vCluster the second.
_LABELS = ("helm.sh/chart", "chart")
_CHART = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9-]*?)-v?(?P<version>\d+\.\d+[0-9A-Za-z.+_-]*)")
# What vCluster's chart says of itself in its sources; a release has a number there.
_PLACEHOLDER = "0.0.1"
_TAG = re.compile(r".*:v?(?P<version>\d+\.\d+\.\d+[^@]*)")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, order=True)
class Chart:
    """A chart's release in one namespace."""

    name: str
    version: str
    namespace: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """Major, minor and patch; what comes after (a release candidate, a build) does not count."""
        return tuple(int(number) for number in _NUMBERS.findall(self.version)[:3])


@dataclass(frozen=True, slots=True)
class Wanted:
    """The versions of a chart that our values were made for. ``below``: the first that is untried, or ()."""

    title: str
    oldest: tuple[int, ...]
    values: str
    below: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        return f"helm-values/{self.values}"

    def problem(self, chart: Chart) -> str:
        """Empty for a version that will do."""
        if chart.numbers < self.oldest:
            return f"upgrade to {written(self.oldest)} or newer: {self.path} is made for that"
        if self.below and chart.numbers >= self.below:
            return f"{self.path} was never tried with {written(self.below)} or newer: compare the keys first"
        return ""


def written(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))


def charts_of(objects: Iterable[Mapping[str, Any]]) -> list[Chart]:
    """The charts that these objects (Deployments, StatefulSets, DaemonSets) are of, each once in a namespace."""
    found = set()
    for each in objects:
        labels = each["metadata"].get("labels") or {}
        label = next((labels[name] for name in _LABELS if name in labels), "")
        if match := _CHART.fullmatch(label):
            version = match["version"] if match["version"] != _PLACEHOLDER else _of_its_image(each) or _PLACEHOLDER
            found.add(Chart(match["name"], version, each["metadata"].get("namespace", "")))
    return sorted(found)


def _of_its_image(made: Mapping[str, Any]) -> str:
    """The version in the tag of the first container's image; empty when there is none."""
    containers = made.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or [{}]
    match = _TAG.fullmatch(str(containers[0].get("image", "")))
    return match["version"] if match else ""
