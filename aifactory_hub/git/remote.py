"""Which repositories may be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from .errors import GitRefused

# Nothing that Git, a shell or a terminal could take for something else.
_PATH = re.compile(r"/[A-Za-z0-9._~/-]{1,1000}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository that was checked. ``protocol`` is the only one that Git may use for it. ``user`` and ``token`` sign
    in; ``ca_file`` has the authorities that vouch for the host, where no public one does."""

    url: str
    protocol: str
    user: str = ""
    token: str = field(default="", repr=False)
    ca_file: str | None = None


def check_remote(
    url: str,
    hosts: Sequence[str],
    *,
    folders: Sequence[str] = (),
    user: str = "",
    token: str = "",
    ca_file: str | None = None,
    protocols: Sequence[str] = ("https",),
) -> Remote:
    """The repository at ``url``, if it is on one of the ``hosts``, or a bare one below one of the ``folders`` here.

    ``protocols`` other than https are for tests. Raises GitRefused, which says what to write.
    """
    if len(url) > _LONGEST:
        raise GitRefused(f"it has {len(url)} characters, and at most {_LONGEST} are allowed")
    if url.startswith("/"):
        return Remote(f"file://{_checked_folder(url, folders)}", "file")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise GitRefused(f"it is not an address: {error}") from error
    if parts.scheme not in protocols:
        raise GitRefused("it is not https: write https://git.example.org/team/repository")
    if "@" in parts.netloc:
        raise GitRefused("it carries a user name or password, which would be shown: give them as the credential")
    if parts.query or parts.fragment or _HOST.fullmatch(parts.netloc) is None:
        raise GitRefused("write the address of the repository alone: https://git.example.org/team/repository")
    if parts.netloc not in hosts:
        raise GitRefused(f"{parts.netloc} is not among this site's Git hosts: {', '.join(hosts) or 'there are none'}")
    if _PATH.fullmatch(parts.path) is None or ".." in PurePosixPath(parts.path).parts:
        raise GitRefused("its path has characters that no repository needs")
    return Remote(url, parts.scheme, user, token, ca_file)


def _checked_folder(path: str, folders: Sequence[str]) -> str:
    if _PATH.fullmatch(path) is None or ".." in PurePosixPath(path).parts:
        raise GitRefused("its path has characters that no repository needs")
    if not any(PurePosixPath(path).is_relative_to(folder) for folder in folders):
        raise GitRefused("repositories in folders of this machine are not read here: write an https address")
    return path
