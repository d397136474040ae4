"""The hub service at /services/aifactory/: jobs and quota for the people of each tenant, over HTTP.

Run as ``aifactory-hub service``, as its own process beside the hub.
"""

from .main import main

__all__ = ["main"]
