"""The copy of the last tenants.yaml that could be used: a process that starts with a broken one works with it.

The copy lies in a folder that outlives the process. Its first lines say which file it is of, and its digest, so that
neither another site's copy nor half a copy is ever used.
"""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .contents import digest_of

log = logging.getLogger(__name__)

NAME = "aifactory-tenants.last-good.yaml"


@dataclass(frozen=True, slots=True)
class LastGood:
    """The copy in ``file`` of what ``source`` was when it could be used last."""

    file: Path
    source: str

    @classmethod
    def beside(cls, folder: Path, source: str) -> LastGood:
        """The copy that is kept in ``folder``."""
        return cls(folder / NAME, source)

    def text(self) -> str | None:
        """The copy's text; None when there is none, or when it is not a whole copy of the source."""
        try:
            head, _, text = self.file.read_text(encoding="utf-8").partition("\n\n")
        except (OSError, UnicodeDecodeError):
            return None
        if head != self._head(text):
            log.warning("%s is not a whole copy of %s: it is not used", self.file, self.source)
            return None
        return text

    def keep(self, text: str) -> None:
        """Keep ``text``, whole or not at all. A folder that can't be written is no error: it is logged."""
        try:
            self._write(f"{self._head(text)}\n\n{text}")
        except OSError as error:
            log.warning(
                "no copy of %s can be kept as %s, so no start goes on with a broken one: %s",
                self.source, self.file, error,
            )  # fmt: skip

    def _write(self, content: str) -> None:
        try:
            if self.file.read_text(encoding="utf-8") == content:
                return
        except (OSError, UnicodeDecodeError):
            pass
        folder = self.file.parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=f".{NAME}-", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self.file)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _head(self, text: str) -> str:
        about = f"# The last good copy of {self.source!r}, kept by aifactory-hub. Do not edit."
        return f"{about}\n# sha256: {digest_of(text)}"
