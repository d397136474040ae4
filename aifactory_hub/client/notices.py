"""Notices to the user about what the client does."""

from __future__ import annotations

import sys

from .printable import lines


def in_notebook() -> bool:
    """Whether a kernel shows what is printed. Without IPython there is none, and it is not loaded to find out."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def tell(text: str) -> None:
    """A note. In a notebook as output, because JupyterLab shows what goes to stderr as an error; in a terminal to
    stderr, because another program may read the output."""
    print(lines(text), file=sys.stdout if in_notebook() else sys.stderr, flush=True)
