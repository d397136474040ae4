"""Datasets: names for data of a team, with versions by digest."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .api import default_session
from .errors import Refused
from .model_registry import name_data
from .session import Session


def datasets(tenant: str | None = None, *, session: Session | None = None) -> list[dict[str, Any]]:
    """The datasets with their newest versions; of one team, or of all that the token may read."""
    found = (session or default_session()).get("/datasets", {} if tenant is None else {"tenant": tenant})
    return list(found["datasets"])


def dataset(name: str, *, tenant: str | None = None, session: Session | None = None) -> dict[str, Any]:
    """The team's dataset ``name`` and all its ``versions``, the newest first. Raises Refused."""
    path = f"/datasets/{quote(name, safe='')}"
    return (session or default_session()).get(path, {} if tenant is None else {"tenant": tenant})


def register_data(
    name: str,
    digest: str | None = None,
    *,
    uri: str | None = None,
    data_class: str | None = None,
    tenant: str | None = None,
    session: Session | None = None,
    **more: Any,
) -> str:
    """As ``name_data``, but what is not said of a dataset that is there stays as it is: "claims@4"."""
    known = _known(name, tenant, session)
    told = {
        "uri": known.get("uri", "") if uri is None else uri,
        "data_class": known.get("data_class", "internal") if data_class is None else data_class,
    }
    return name_data(name, digest, tenant=tenant, session=session, **told, **more)


def _known(name: str, tenant: str | None, session: Session | None) -> dict[str, Any]:
    try:
        return dict(dataset(name, tenant=tenant, session=session)["dataset"])
    except Refused as error:
        if error.reason != "unknown-dataset":
            raise
        return {}
