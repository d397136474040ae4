"""HTTP to the job service, with the patience that a restart of the hub or the service needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .errors import NotInNotebook, Refused, ServiceUnavailable, SubmitRefused, UnknownJob

_CHUNK = 256 * 1024
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# Also 500: what the proxy says when the service goes away while it answers.
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
# How long to try, in seconds: a restart of hub and service takes less.
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are and where the service is, as the hub put it into the server's environment."""

    url: str
    token: str = field(repr=False)
    tenant: str | None = None
    profile: str | None = None


def read_account(environment: Mapping[str, str] | None = None) -> Account:
    """The account of this notebook. Raises NotInNotebook."""
    found = os.environ if environment is None else environment
    for variable in ("JUPYTERHUB_API_TOKEN", "AIFACTORY_SERVICE_URL"):
        if not found.get(variable):
            raise NotInNotebook(variable)
    return Account(
        url=found["AIFACTORY_SERVICE_URL"].rstrip("/"),
        token=found["JUPYTERHUB_API_TOKEN"],
        tenant=found.get("AIFACTORY_TENANT") or None,
        profile=found.get("AIFACTORY_PROFILE") or None,
    )


class Session:
    """Calls the service. What can be repeated without harm is repeated while the service does not answer.

    Raises Refused (SubmitRefused, UnknownJob) when it says no, ServiceUnavailable when it says nothing.
    """

    def __init__(
        self,
        account: Account,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.account = account
        self._patience = patience
        self._sleep = sleep
        # No proxy from the environment: the token goes to the service and to nobody else.
        self._client = httpx.Client(
            base_url=f"{account.url}/api/v1",
            headers={"Authorization": f"Bearer {account.token}"},
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A JSON answer."""
        return _json(self._patiently(lambda: self._client.get(path, params=params)))

    def text(self, path: str) -> str:
        """A plain text answer."""
        return self._patiently(lambda: self._client.get(path)).text

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A POST that carries its own key, so that it may be repeated."""
        return _json(self._patiently(lambda: self._client.post(path, json=body), SubmitRefused))

    def delete(self, path: str) -> dict[str, Any]:
        """A DELETE."""
        return _json(self._patiently(lambda: self._client.delete(path)))

    def put_file(self, path: str, file: Path, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a file."""
        headers = {"Content-Length": str(file.stat().st_size), "Content-Type": "application/gzip"}

        def upload() -> httpx.Response:
            return self._client.put(path, content=_chunks(file), params=params, headers=headers)

        return _json(self._patiently(upload, SubmitRefused))

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """A file, in pieces."""
        with self._opened(path) as response:
            try:
                yield response.iter_bytes(_CHUNK)
            except httpx.RequestError as error:
                raise ServiceUnavailable(f"The download broke off: {error}. Try again.") from error

    @contextmanager
    def _opened(self, path: str) -> Iterator[httpx.Response]:
        request = self._client.build_request("GET", path)

        def send() -> httpx.Response:
            response = self._client.send(request, stream=True)
            if not response.is_success:
                response.read()
                response.close()
            return response

        response = self._patiently(send)
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _patiently(self, call: Callable[[], httpx.Response], refusal: type[Refused] = Refused) -> httpx.Response:
        give_up = time.monotonic() + self._patience
        pause = 0.2
        while True:
            try:
                response = call()
            except httpx.RequestError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return response
                body = _own_words(response)
                if body is not None and response.status_code not in _TRY_AGAIN:
                    raise _refusal(response.status_code, body, refusal)
                # An answer that is not the service's own is a proxy's, which does not know the service yet.
                said = "" if body is None else f" {body.get('detail', '')}"
                problem = f"{response.status_code} {response.reason_phrase}{said}"
            if time.monotonic() + pause > give_up:
                raise ServiceUnavailable(
                    f"The job service at {self.account.url} did not answer within {self._patience:.0f} s. "
                    f"Last: {problem}. Jobs that were submitted go on; try again in a while."
                )
            self._sleep(pause)
            pause = min(pause * 2, 5.0)


def _own_words(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and "reason" in body else None


def _refusal(status: int, body: dict[str, Any], default: type[Refused]) -> Refused:
    return UnknownJob(status, body) if body["reason"] == "unknown-job" else default(status, body)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServiceUnavailable(f"What answers at {response.url} is not the job service.")
    return body


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
