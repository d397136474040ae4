"""Parts that need more than the base install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import click


def load(module: str, extra: str) -> ModuleType:
    """Import ``module``, which comes with the distribution's ``extra``.

    Raises ClickException with what to install when one of its dependencies is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("aifactory_hub", "aifactory_profiles")):
            raise
        text = f"this needs {error.name}, which is not installed: pip install 'aifactory-hub[{extra}]'"
        raise click.ClickException(text) from error
