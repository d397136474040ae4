"""Certificate authorities for the addresses that the doctor asks."""

from __future__ import annotations

import ssl

import httpx

from ..settings import read_ca_file


def authorities() -> ssl.SSLContext:
    """The public authorities, this machine's, and the hub's own of AIFACTORY_HUB_CA_FILE. Raises SettingsError."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    if (file := read_ca_file()) is not None:
        context.load_verify_locations(file)
    return context
