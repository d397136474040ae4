"""The API server that other tests talk to: what it must not do to them."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import pytest

from ..support.kube_server import kube_server


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_that_comes_while_it_stops_is_closed(turns: int) -> None:
    async def connect_and_stop() -> None:
        async with kube_server() as server:
            with socket.create_connection(("127.0.0.1", server.port)):
                for _ in range(turns):
                    await asyncio.sleep(0)

    gc.collect()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        asyncio.run(connect_and_stop())
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
