"""All that a hub needs to be configured: the one call. What differs between sites is in tenants.yaml."""

from typing import Any

import aifactory_hub

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub provides it
aifactory_hub.configure(c)
