"""The runner's side of the service's internal API. Calls are repeated for as long as a restart of the service takes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

# As often is a file of a model fetched that comes with wrong bytes.
_MODEL_TRIES = 3
_CHUNK = 256 * 1024
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class NotDelivered(Exception):
    """The service took longer to answer than we wait, or said no; the text says which."""


class Refused(NotDelivered):
    """The service said no, and would say so again."""


class Reporter:
    """Fetches the job's files and delivers what it made. Every call may be repeated without harm.

    ``timeout`` is how long a call is repeated while the service does not answer, in seconds. ``of`` is "releases" for
    the pod of a release, whose id then stands in the job's place.
    """

    def __init__(
        self,
        url: str,
        job_id: str,
        token: str,
        *,
        timeout: float,
        sleep: Callable[[float], None] = time.sleep,
        of: str = "jobs",
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        # No proxy from the environment: the token goes to the service and to nobody else.
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/internal/{of}/{job_id}",
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
        )
        self.timeout = timeout
        self._sleep = sleep

    def fetch_manifest(self, sha256: str) -> tuple[str, list[str]]:
        """The manifest of the job's files, and the digests of the packs that have them. Raises NotDelivered."""
        answers: list[tuple[str, list[str]]] = []

        def fetch() -> httpx.Response:
            response = self._client.get("/files")
            if response.is_success:
                answer = response.json()
                answers.append((str(answer["manifest"]), [str(pack) for pack in answer["packs"]]))
                if hashlib.sha256(answers[-1][0].encode()).hexdigest() != sha256:
                    raise httpx.ReadError("the manifest arrived damaged")
            return response

        self._with_retries("the job's files", fetch)
        return answers[-1]

    def fetch_pack(self, sha256: str, target: Path) -> None:
        """Download some of the job's files to ``target``. Raises NotDelivered."""
        self._download("the job's files", f"/files/{sha256}", target, sha256)

    def list_models(self) -> dict[str, Any]:
        """The models that the job was submitted with, and the keys to believe. Raises NotDelivered.

        None of a service of an earlier version, which has no such address.
        """
        answers: list[dict[str, Any]] = [{"models": [], "keys": []}]

        def ask() -> httpx.Response:
            response = self._client.get("/models")
            if response.status_code == 404:
                return httpx.Response(204)
            if response.is_success:
                answers.append(response.json())
            return response

        self._with_retries("the list of models", ask)
        return answers[-1]

    def fetch_model_file(self, version: str, name: str, target: Path, sha256: str) -> None:
        """Download a file of a model. Raises NotDelivered.

        Also for one that came several times with wrong bytes: then it is wrong where it is kept.
        """
        path = f"/models/{version}/files/{quote(name, safe='')}"
        self._download(name, path, target, sha256, tries=_MODEL_TRIES)

    def list_artifacts(self, prefix: str) -> list[tuple[str, str]]:
        """Names and digests of what the job gave back already below ``prefix``. Raises NotDelivered."""
        answers: list[list[tuple[str, str]]] = []

        def ask() -> httpx.Response:
            response = self._client.get("/artifacts")
            if response.is_success:
                listed = response.json()["artifacts"]
                answers.append([(a["name"], a["sha256"]) for a in listed if a["name"].startswith(prefix)])
            return response

        self._with_retries("the list of what was kept", ask)
        return answers[-1]

    def fetch_artifact(self, name: str, target: Path, sha256: str) -> None:
        """Download one of them. Raises NotDelivered."""
        self._download(name, f"/artifacts/{quote(name, safe='')}", target, sha256)

    def delete_artifact(self, name: str) -> None:
        """The job does not give this back any more. Raises NotDelivered."""
        self._once(name, lambda: self._client.delete(f"/artifacts/{quote(name, safe='')}"))

    def put_log(self, content: bytes) -> None:
        """Deliver the log. Raises NotDelivered."""
        headers = {"X-Content-SHA256": hashlib.sha256(content).hexdigest()}
        self._with_retries("the log", lambda: self._client.put("/log", content=content, headers=headers))

    def put_artifact(self, name: str, path: Path) -> None:
        """Deliver one file. Raises NotDelivered, or OSError when it can't be read any more."""
        where = f"/artifacts/{quote(name, safe='')}"

        def upload() -> httpx.Response:
            with path.open("rb") as file:
                headers = {
                    "X-Content-SHA256": hashlib.file_digest(file, "sha256").hexdigest(),
                    "Content-Length": str(file.tell()),
                }
            return self._client.put(where, content=_chunks(path), headers=headers)

        self._with_retries(name, upload)

    def post_result(self, result: dict[str, Any]) -> None:
        """Deliver how it ended. Raises NotDelivered."""
        self._with_retries("the result", lambda: self._client.post("/result", json=result))

    def post_problem(self, problem: str) -> None:
        """Say why a release can't be served. Raises NotDelivered."""
        self._with_retries("the problem", lambda: self._client.post("/problem", json={"problem": problem[:2000]}))

    def post_piece(self, offset: int, piece: bytes) -> None:
        """Deliver what was printed at ``offset``, with one try: there will be more to send. Raises NotDelivered."""
        headers = {"Content-Type": "application/octet-stream"}
        where = {"offset": offset}
        self._once(
            "a piece of the log", lambda: self._client.post("/log/pieces", content=piece, params=where, headers=headers)
        )

    def post_progress(self, said: Mapping[str, Any]) -> None:
        """Deliver how far the command says it is, with one try. Raises NotDelivered, Refused."""
        self._once("the progress", lambda: self._client.post("/progress", json=dict(said)))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _download(self, what: str, path: str, target: Path, sha256: str, *, tries: int | None = None) -> None:
        damaged = 0

        def download() -> httpx.Response:
            nonlocal damaged
            digest = hashlib.sha256()
            with self._client.stream("GET", path) as response, target.open("wb") as file:
                if response.is_success:
                    for chunk in response.iter_bytes(_CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
                else:
                    response.read()
            if response.is_success and digest.hexdigest() != sha256:
                damaged += 1
                if damaged == tries:
                    raise NotDelivered(f"{what}: its SHA-256 is {digest.hexdigest()[:16]} and not {sha256[:16]}")
                raise httpx.ReadError("it arrived damaged")
            return response

        self._with_retries(what, download)

    def _once(self, what: str, call: Callable[[], httpx.Response]) -> None:
        try:
            response = call()
        except httpx.RequestError as error:
            raise NotDelivered(f"{what}: {type(error).__name__}: {error}") from error
        if not response.is_success:
            said = _message(response)
            final = said is not None and response.status_code not in _TRY_AGAIN
            kind = Refused if final else NotDelivered
            raise kind(f"{what}: the service answered {response.status_code}: {said}")

    def _with_retries(self, what: str, call: Callable[[], httpx.Response]) -> None:
        give_up = time.monotonic() + self.timeout
        pause = 0.2
        while True:
            try:
                response = call()
                if response.is_success:
                    return
                said = _message(response)
                if said is not None and response.status_code not in _TRY_AGAIN:
                    raise NotDelivered(f"{what}: the service answered {response.status_code}: {said}")
                problem = f"{response.status_code} {said or response.reason_phrase}"
            except httpx.RequestError as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() + pause > give_up:
                raise NotDelivered(f"{what}: no success within {self.timeout:.0f} s; last: {problem}")
            self._sleep(pause)
            pause = min(pause * 2, 5.0)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _message(response: httpx.Response) -> str | None:
    """The service's own words; None for an answer that is not its own, such as a proxy's."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return None
