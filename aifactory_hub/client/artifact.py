"""Files that a job gave back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .errors import ClientError
from .printable import line
from .save_paths import is_there, place_below
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

    def save(self, path: str | os.PathLike[str] | None = None, *, hidden: bool = False) -> Path:
        """Write the content to the file ``path``; the file appears whole.

        Without ``path`` it is saved by its own name below the current folder, and where ``path`` is a folder by the
        last part of its name in there. Whoever wrote the job chose that name, so then nothing is overwritten, no link
        is followed, and a name that begins with a dot is saved only with ``hidden``. Raises NotSaved.
        """
        if path is not None and not Path(path).is_dir():
            return self._write(Path(path))
        if path is None:
            return self.save_below(Path(), hidden=hidden)
        return self._save_new(place_below(Path(path), self.name.rpartition("/")[2], hidden=hidden))

    def save_below(self, folder: str | os.PathLike[str], *, hidden: bool = False) -> Path:
        """Save it by its whole name below ``folder``, under the same rules. Raises NotSaved."""
        return self._save_new(place_below(Path(folder), self.name, hidden=hidden))

    def _save_new(self, target: Path) -> Path:
        return target if is_there(target, self.sha256) else self._write(target)

    def _write(self, target: Path) -> Path:
        import tempfile

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
            raise ClientError(f"{line(self.name)} arrived damaged: its SHA-256 is not {self.sha256}. Try again.")

    def __repr__(self) -> str:
        return f"<Artifact {line(self.name)}: {self.size} bytes>"


class Artifacts(dict[str, Artifact]):
    """The files that a job gave back, by name."""

    def __missing__(self, name: str) -> Artifact:
        known = line(", ".join(sorted(self))) or "none"
        raise KeyError(f"the job gave back no file {name!r}. Its files: {known}")
