"""The Jupyter server's part of the JupyterLab extension: it asks the job service with the server's own token.

The browser talks to the Jupyter server only, with the login that it has there, and never sees a token of the hub.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Called by the Jupyter server, which finds this module in its configuration."""
    from .extension import AIFactoryLab

    return [{"module": "aifactory_hub.lab", "app": AIFactoryLab}]
