"""A site's service as it is kept: a database with a ledger and statements, files, keys, tenants.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from aifactory_hub.backup import Sources
from aifactory_hub.domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from aifactory_hub.store import FileStore, migrate, open_db
from aifactory_hub.store.database import writing
from aifactory_hub.store.ledger import Ledger
from aifactory_hub.store.statements import Draft, append

from ..registry.files import GOOD

ADA = Possession("nlp", "ada", "small", "server", "ada", devices={"h100/mig-1g": 1}, attribution=Attribution.TICKET)
KEY = bytes(range(32))
FILES = {"jobs/j-one/log-1": b"hello\n", "jobs/j-one/artifacts/aa": b"\0" * 3000, "ledger/1.jsonl": b"{}\n"}


@dataclass
class Site:
    """``secret`` is one of the service's keys."""

    url: str
    folder: Path
    secret: bytes

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def tenants(self) -> Path:
        return self.folder / "tenants.yaml"

    def sources(self, key: bytes | None = None, *, copy: bool = False) -> Sources:
        return Sources(self.url, None, self.files, None, self.tenants, key, copy)


def held(pod: str) -> list[UsageFact]:
    """The facts of one pod's life."""
    kinds = ((FactKind.BOUND, 100), (FactKind.STARTED, 110), (FactKind.ENDED, 200))
    return [
        UsageFact.exact(pod, kind, Source.WATCH, at, at, possession=ADA if kind is FactKind.BOUND else None)
        for kind, at in kinds
    ]


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    db = open_db(url)
    try:
        yield db
    finally:
        db.dispose()


def make_site(url: str, folder: Path) -> Site:
    with opened(url) as db:
        migrate(db)
        Ledger(db).append([*held("p1"), *held("p2")])
        with writing(db) as connection:
            append(connection, [Draft("files", "s" * 64, None, "k" * 64, "{}")], 1.0)
    store = FileStore(folder / "files")
    for key, content in FILES.items():
        with store.incoming(1 << 20) as incoming:
            incoming.write(content)
            incoming.keep(key)
    store.keep_credential("trigger", "a password")
    secret = store.secret("job-tokens")
    (folder / "tenants.yaml").write_text(GOOD, encoding="utf-8")
    return Site(url, folder, secret)
