"""HTTP to the job service. Calls are repeated for as long as a restart of the hub or the service takes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadToken, NotInNotebook, Refused, ServiceUnavailable, SubmitRefused, UnknownJob
from .lab_socket import tell_server
from .notices import tell

if TYPE_CHECKING:
    import httpx

_CHUNK = 256 * 1024
# Seconds. A stream in which nothing happens says so every 15.
_READ, _CONNECT, _SILENCE = 60.0, 5.0, 45.0
# Also 500: what the proxy says when the service goes away while it answers.
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
# Seconds after which it is said that the service is waited for.
_SAY_AFTER = 3.0
# How long to try, in seconds: a restart of hub and service takes less.
TIMEOUT = 90.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are and where the service is, as the hub put it into the server's environment.

    ``server`` is the name of the notebook server that we are in, None outside of one.
    """

    url: str
    token: str = field(repr=False)
    tenant: str | None = None
    profile: str | None = None
    user: str | None = None
    server: str | None = None


def read_account(environment: Mapping[str, str] | None = None) -> Account:
    """The account of this notebook. Spaces and line ends around the token are left out. Raises NotInNotebook."""
    found = os.environ if environment is None else environment
    for variable in ("JUPYTERHUB_API_TOKEN", "AIFACTORY_SERVICE_URL"):
        if not found.get(variable):
            raise NotInNotebook(variable)
    return Account(
        url=found["AIFACTORY_SERVICE_URL"].rstrip("/"),
        token=found["JUPYTERHUB_API_TOKEN"].strip(),
        tenant=found.get("AIFACTORY_TENANT") or None,
        profile=found.get("AIFACTORY_PROFILE") or None,
        user=found.get("JUPYTERHUB_USER") or None,
        # The default server's name is empty, and still a name.
        server=found.get("JUPYTERHUB_SERVER_NAME"),
    )


def _check_token(token: str) -> None:
    """Raises BadToken, without the token itself."""
    wrong = next((c for c in token if not "!" <= c <= "~"), None)
    if not token or wrong is not None:
        raise BadToken("is empty" if wrong is None else f"has the character {wrong!a}")


@dataclass(frozen=True, slots=True)
class Event:
    """One Server-Sent Event. ``name`` is "" when nothing happened for a while."""

    name: str
    data: dict[str, Any]


class Session:
    """Calls the service. What can be repeated without harm is repeated while the service does not answer.

    Raises Refused (SubmitRefused, UnknownJob) when it says no, ServiceUnavailable when it says nothing, and BadToken
    at once when the account's token can't be one.
    """

    def __init__(
        self,
        account: Account,
        *,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        # Here and not above: it takes most of the time that importing this package would take.
        import httpx

        _check_token(account.token)
        self._httpx = httpx
        self.account = account
        self._timeout = timeout
        self._sleep = sleep
        self._skew = 0.0
        # No proxy from the environment: the token goes to the service and to nobody else.
        self._client = httpx.Client(
            base_url=f"{account.url}/api/v1",
            headers={"Authorization": f"Bearer {account.token}"},
            # One answer is not waited for longer than all tries together may take.
            timeout=httpx.Timeout(min(_READ, timeout), connect=min(_CONNECT, timeout)),
            trust_env=False,
            transport=transport,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A JSON answer."""
        return _json(self._with_retries(lambda: self._client.get(path, params=params)))

    def text(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """A plain text answer; bytes that are no text are shown as such."""
        return self._with_retries(lambda: self._client.get(path, params=params)).content.decode("utf-8", "replace")

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A POST that carries its own key, so that it may be repeated: a new job or schedule."""
        answer = _json(self._with_retries(lambda: self._client.post(path, json=body), SubmitRefused))
        tell_server()
        return answer

    def change(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A POST that says how something is to be, so that saying it twice changes nothing more."""
        return _json(self._with_retries(lambda: self._client.post(path, json=dict(body or {}))))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A PATCH that says how something is to be."""
        return _json(self._with_retries(lambda: self._client.patch(path, json=body)))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A PUT that says how something is to be."""
        return _json(self._with_retries(lambda: self._client.put(path, json=body)))

    def delete(self, path: str) -> dict[str, Any]:
        """A DELETE. The panel then asks for the jobs again."""
        answer = _json(self._with_retries(lambda: self._client.delete(path)))
        tell_server()
        return answer

    def put_file(self, path: str, file: Path, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a file."""
        headers = {"Content-Length": str(file.stat().st_size), "Content-Type": "application/octet-stream"}

        def upload() -> httpx.Response:
            return self._client.put(path, content=_chunks(file), params=params, headers=headers)

        return _json(self._with_retries(upload, SubmitRefused))

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """A file, in pieces."""
        with self._opened(path) as response:
            try:
                yield response.iter_bytes(_CHUNK)
            except self._httpx.RequestError as error:
                raise ServiceUnavailable(f"The download broke off: {error}. Try again.") from error

    def events(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Event]:
        """The events of a stream, for ever: one that breaks off is opened again where it was.

        An event without a name comes when nothing has happened for a while. The caller stops when it has heard enough.
        """
        place = ""
        while True:
            try:
                with self._opened(path, params, {"Last-Event-ID": place} if place else {}) as response:
                    for fields in _fields(response.iter_lines()):
                        place = fields.get("id", place)
                        data = json.loads(fields.get("data") or "{}")
                        if fields.get("event") == "problem":
                            raise _refusal(int(data.get("status", 0)), data, Refused)
                        yield Event(fields.get("event", ""), data)
            except self._httpx.RequestError:
                yield Event("", {})
            self._sleep(0.2)

    @contextmanager
    def _opened(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        silence = self._httpx.Timeout(_READ if headers is None else _SILENCE, connect=_CONNECT)
        request = self._client.build_request("GET", path, params=params, headers=headers, timeout=silence)

        def send() -> httpx.Response:
            response = self._client.send(request, stream=True)
            if not response.is_success:
                response.read()
                response.close()
            return response

        response = self._with_retries(send)
        try:
            yield response
        finally:
            response.close()

    def now(self) -> float:
        """The service's time, in seconds since 1970: this machine's clock may be wrong. True to a second or two."""
        return time.time() + self._skew

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            self._skew = _date_of(response.headers["Date"]) - time.time()
        except (KeyError, ValueError, TypeError):
            return  # not said: the clock here is the best that there is

    def _with_retries(self, call: Callable[[], httpx.Response], refusal: type[Refused] = Refused) -> httpx.Response:
        began, told = time.monotonic(), False
        give_up = began + self._timeout
        pause = 0.2
        while True:
            try:
                response = call()
            except self._httpx.RequestError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    self._compare_clocks(response)
                    return response
                body = _own_words(response)
                if body is not None and response.status_code not in _TRY_AGAIN:
                    raise _refusal(response.status_code, body, refusal)
                # An answer that is not the service's own is a proxy's, which does not know the service yet.
                said = "" if body is None else f" {body.get('detail', '')}"
                problem = f"{response.status_code} {response.reason_phrase}{said}"
            if time.monotonic() + pause > give_up:
                raise ServiceUnavailable(
                    f"The job service at {self.account.url} did not answer within {self._timeout:.0f} s. "
                    f"Last: {problem}. Jobs that were submitted go on; try again in a while."
                )
            if not told and time.monotonic() - began > _SAY_AFTER:
                told = True
                tell(f"the job service does not answer; it is asked again for up to {self._timeout:.0f} s")
            self._sleep(pause)
            pause = min(pause * 2, 5.0)


def _date_of(text: str) -> float:
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(text).timestamp()


def _fields(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The events of a stream as it comes; a comment is one without fields, so that its reader gets a turn."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            if found:
                yield found
            found = {}
        elif not name:
            yield {}
        else:
            found[name] = value.removeprefix(" ")


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
