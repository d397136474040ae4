"""AIFactory Hub: a JupyterHub extension suite for teams that share one GPU cluster."""

from typing import Any

__version__ = "0.2.0"


def configure(c: Any, **options: Any) -> None:
    """Set up JupyterHub from ``tenants.yaml``; the one call that ``jupyterhub_config.py`` needs.

    See :mod:`aifactory_hub.hub_config`. The import is late because the notebook image has no hub.
    """
    from .hub_config import configure as apply

    apply(c, **options)


__all__ = ["__version__", "configure"]
