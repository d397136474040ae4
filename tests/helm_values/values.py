"""The values files as helm sees them: read, and merged in order."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "helm-values"
# The order in which docs/install.md gives them to helm.
JUPYTERHUB = ("common.yaml", "gpu-mig.yaml", "network-policies.yaml", "observability.yaml")
OVERLAYS = sorted(path.relative_to(FOLDER).as_posix() for path in (FOLDER / "overlays").glob("*.yaml"))

Values = dict[str, Any]


def documents(path: Path) -> list[Values]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))


def read(name: str) -> Values:
    (values,) = documents(FOLDER / name)
    return values


def merged(*layers: Values) -> Values:
    """As helm merges: mappings key by key, anything else by the later one; a null takes the key away."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            if value is None and key in result:
                del result[key]
            elif isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            else:
                result[key] = value
    return result


def jupyterhub(*overlays: str) -> Values:
    return merged(*(read(name) for name in (*JUPYTERHUB, *overlays)))


def keys_of(values: Values, free: Container[str], before: str = "") -> set[str]:
    """Dotted names of all keys, down to those of ``free``, below which the chart takes anything."""
    found: set[str] = set()
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and value and path not in free:
            found |= keys_of(value, free, f"{path}.")
        else:
            found.add(path)
    return found
