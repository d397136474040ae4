"""The reading half of clusters.KubeApi over answers of a test's own, decoded as the real one decodes them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aifactory_hub.clusters.decoding import decode_list, decode_object
from aifactory_hub.clusters.tenant_objects import TenantObject

Json = dict[str, Any]


@dataclass
class TypedApi:
    """``answer`` gives what the server sends for a path."""

    answer: Callable[[str], Awaitable[Json]]

    async def object(self, path: str, shape: type[TenantObject], params: Mapping[str, Any] | None = None) -> Json:
        return decode_object(json.dumps(await self.answer(path)).encode(), shape, "the fake")

    async def list(
        self, path: str, shape: type[TenantObject], params: Mapping[str, Any] | None = None, *, most: int = 2000
    ) -> list[Json]:
        answer = {"metadata": {}, **await self.answer(path)}
        name = str((params or {}).get("fieldSelector", "")).partition("involvedObject.name=")[2].partition(",")[0]
        found, _ = decode_list(json.dumps(answer).encode(), shape, "the fake")
        return [each for each in found if not name or each.get("involvedObject", {}).get("name") == name][:most]
