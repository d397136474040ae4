"""The id of the service's database: made once and kept in it, so that tickets can say which database knows them."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine, insert, select

from .database import writing
from .models import MarkRow

_NAME = "database-id"


def database_id(db: Engine) -> str:
    """The id, made at the first call. Blocks."""
    with writing(db) as connection:
        found = connection.scalar(select(MarkRow.value).where(MarkRow.name == _NAME))
        if found is None:
            found = secrets.token_hex(8)
            connection.execute(insert(MarkRow).values(name=_NAME, value=found))
        return str(found)
