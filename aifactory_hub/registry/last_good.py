"""The last tenants.yaml that could be used: a process that starts with a broken one works with it.

The copy lies in a folder that outlives the process. Its first lines say which file it is of, and its digest, so that
neither another site's copy nor half a copy is ever used.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from .load import load_registry, read_registry
from .model import Registry
from .problems import RegistryError

log = logging.getLogger(__name__)

NAME = "aifactory-tenants.last-good.yaml"


def load_or_last_good(path: str | Path, folder: Path) -> Registry:
    """The registry in the file ``path``, of which a copy is kept in ``folder``; of the copy when the file is broken.

    The registry's ``trouble`` then says what is wrong with the file. Raises RegistryError, with what is wrong with the
    file, when there is no copy that can be used.
    """
    copy = folder / NAME
    try:
        registry = load_registry(path)
    except RegistryError as error:
        registry = _from_copy(copy, str(path), error)
        log.error("%s", registry.trouble)
        return registry
    try:
        _keep(copy, str(path), Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        log.warning("no copy of %s can be kept as %s, so no start goes on with a broken one: %s", path, copy, error)
    return registry


def _from_copy(copy: Path, source: str, error: RegistryError) -> Registry:
    try:
        head, _, text = copy.read_text(encoding="utf-8").partition("\n\n")
    except (OSError, UnicodeDecodeError):
        raise error from None
    if head != _head(source, text):
        log.warning("%s is not a whole copy of %s: it is not used", copy, source)
        raise error
    try:
        registry = read_registry(text, source)
    except RegistryError:
        # Good for the version that kept it, and not for this one.
        raise error from None
    count = len(error.problems)
    trouble = (
        f"{source} can't be used, so the last good one is, of which {copy} is the copy. "
        f"{count} {'problem' if count == 1 else 'problems'}:\n{error}"
    )
    return replace(registry, trouble=trouble)


def _keep(copy: Path, source: str, text: str) -> None:
    content = f"{_head(source, text)}\n\n{text}"
    try:
        if copy.read_text(encoding="utf-8") == content:
            return
    except (OSError, UnicodeDecodeError):
        pass
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=copy.parent, prefix=f".{NAME}-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(copy)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _head(source: str, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"# The last good copy of {source!r}, kept by aifactory-hub. Do not edit.\n# sha256: {digest}"
