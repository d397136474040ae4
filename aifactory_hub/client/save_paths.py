"""Where an output file may be saved. Its name was chosen by the author of the job."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import ClientError
from .printable import line


class NotSaved(ClientError):
    """A file was not saved; the text says why and what to do. Nothing was written."""


class Hidden(NotSaved):
    """The file's name, or a folder of it, begins with a dot: programs would read it unseen."""


def place_below(folder: Path, name: str, *, hidden: bool = False) -> Path:
    """The path of ``name`` below ``folder``. Raises NotSaved.

    It is never outside of the folder, no link is followed on the way, and a part of it begins with a dot only with
    ``hidden``.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or line(part) != part for part in parts):
        raise NotSaved(f"{line(name)!r} was not saved: it is not a plain name below a folder.")
    if not hidden and any(part.startswith(".") for part in parts):
        message = f"{name!r} was not saved: it is hidden, so programs could read it unseen."
        raise Hidden(f"{message} Ask for hidden files to save it.")
    place = folder
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise NotSaved(f"{name!r} was not saved: {str(place)!r} is a link or a file, not a folder.")
    return place / parts[-1]


def is_there(place: Path, sha256: str) -> bool:
    """Whether the very same file is at ``place`` already. Raises NotSaved when another one is."""
    if not place.is_symlink() and not place.exists():
        return False
    if place.is_file() and not place.is_symlink():
        with place.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return True
    raise NotSaved(f"{str(place)!r} exists and is another file. Nothing was overwritten: save into another folder.")
