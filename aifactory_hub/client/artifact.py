"""Files that a job gave back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .errors import ClientError
from .session import Session


class Artifact:
    """One file that a job gave back. ``size`` in bytes."""

    def __init__(self, session: Session, job_id: str, data: Mapping[str, Any]) -> None:
        self._session = session
        self._path = f"/jobs/{job_id}/artifacts/{quote(data['name'], safe='')}"
        self.name: str = data["name"]
        self.size: int = data["size"]
        self.sha256: str = data["sha256"]

    def read(self) -> bytes:
        """The content, checked against its digest."""
        return b"".join(self._checked())

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the content to ``path``, by default its own name below the current folder. The file appears whole."""
        import tempfile

        target = Path(self.name if path is None else path)
        if target.is_dir():
            target = target / Path(self.name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            aside = Path(file.name)
            try:
                for chunk in self._checked():
                    file.write(chunk)
                file.close()
                aside.chmod(0o644)
                aside.replace(target)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
        return target

    def _checked(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self._session.download(self._path) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.sha256:
            raise ClientError(f"{self.name} arrived damaged: its SHA-256 is not {self.sha256}. Try again.")

    def __repr__(self) -> str:
        return f"<Artifact {self.name}: {self.size} bytes>"


class Artifacts(dict[str, Artifact]):
    """The files that a job gave back, by name."""

    def __missing__(self, name: str) -> Artifact:
        known = ", ".join(sorted(self)) or "none"
        raise KeyError(f"the job gave back no file {name!r}. Its files: {known}")
