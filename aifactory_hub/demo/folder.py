"""The one folder that the demo lives in, and the lock that keeps a second demo out of it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .site import Ports


class DemoError(Exception):
    """The demo can't run; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of this demo, made once, so that a restart can read what the hub has encrypted before."""

    client_secret: str
    service_token: str
    crypt_key: str


@contextmanager
def locked(folder: Path) -> Iterator[Callable[[str], None]]:
    """Hold the folder; what is yielded notes the demo's address for a second one to tell.

    Raises DemoError when another demo holds it. The lock ends with the process, however it ends.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            where = file.read().strip() or "an address that it has not told yet"
            message = f"The demo runs already, at {where}. Stop it with Ctrl-C, or name another folder with --folder."
            raise DemoError(message) from None

        def note(address: str) -> None:
            file.truncate(0)
            file.write(address)
            file.flush()

        note("")
        yield note


def read_keys(folder: Path) -> Keys:
    """The folder's secrets, made now if there are none. Only the owner can read the file."""
    path = folder / "keys.json"
    if path.exists():
        return Keys(**json.loads(path.read_text()))
    keys = Keys(*(secrets.token_hex(32) for _ in range(3)))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(keys), file)
    return keys


def find_ports(public: int) -> Ports:
    """``public`` (0 for any) and four free ones. Raises DemoError when ``public`` is taken."""
    with ExitStack() as held:
        return Ports(*(_free_port(number, held) for number in (public, 0, 0, 0, 0)))


def _free_port(number: int, held: ExitStack) -> int:
    sock = held.enter_context(socket.socket())
    # As a server does, so that connections of a demo that has just ended are no hindrance.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", number))
        sock.listen(1)
    except OSError as error:
        raise DemoError(f"Port {number} can't be used: {error.strerror}. Choose another one with --port.") from error
    port: int = sock.getsockname()[1]
    return port
