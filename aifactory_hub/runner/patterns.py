"""Patterns of files, as shells and git read them: ``*`` and ``?`` stay within a folder, ``**/`` is any folders or none.

``[abc]`` is one of these characters, ``{csv,txt}`` one of these words. A pattern without a slash fits a file's name in
any folder. The name of a folder, with or without a slash at its end, fits all that is below it. A pattern that is a
file's very name fits that file, whatever characters it has.
"""

from __future__ import annotations

import re
from functools import lru_cache

_MOST_WORDS = 100


def fits(name: str, pattern: str) -> bool:
    """Whether the path ``name``, with slashes, fits."""
    plain = pattern.removeprefix("./")
    if name == plain or name.startswith(plain.rstrip("/") + "/"):
        return True
    expression = _expression(plain)
    return any(expression.fullmatch(name[:end]) for end in _ends(name)) if expression else False


def _ends(name: str) -> list[int]:
    """Where the path of each folder above it ends, and its own."""
    return [*(i for i, character in enumerate(name) if character == "/"), len(name)]


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str] | None:
    body = pattern.strip("/") if "/" in pattern.rstrip("/") else f"**/{pattern.rstrip('/')}"
    words = _words(body)
    if words is None:
        return None
    try:
        return re.compile("|".join(f"(?:{_translated(word)})" for word in words))
    except re.error:
        return None


def _words(pattern: str) -> list[str] | None:
    """The pattern once for each of its words in braces; None when there are too many."""
    waiting, done = [pattern], []
    while waiting:
        text = waiting.pop(0)
        found = re.search(r"\{([^{}/]*,[^{}/]*)\}", text)
        if found is None:
            done.append(text)
        else:
            waiting += [text[: found.start()] + word + text[found.end() :] for word in found[1].split(",")]
        if len(waiting) + len(done) > _MOST_WORDS:
            return None
    return done


def _translated(pattern: str) -> str:
    """As a regular expression. What follows a star is taken at its first place, for good: so no pattern is slow."""
    first, *others = _parts(pattern)
    if not others:
        return first
    return first + "".join(f"(?>[^/]*?{part})" for part in others[:-1]) + f"[^/]*{others[-1]}"


def _parts(pattern: str) -> list[str]:
    """The expressions between the pattern's single stars."""
    parts, place = [""], 0
    while place < len(pattern):
        rest = pattern[place:]
        if rest.startswith("**/"):
            parts[-1], place = parts[-1] + "(?:[^/]+/)*", place + 3
        elif rest == "**":
            parts[-1], place = parts[-1] + ".+", place + 2
        elif rest[0] == "*":
            parts, place = [*parts, ""], place + 1
        elif found := re.match(r"\[(!?)(\]?[^\]/]*)\]", rest):
            parts[-1], place = parts[-1] + _one_of(found[2], negated=bool(found[1])), place + found.end()
        else:
            parts[-1], place = parts[-1] + ("[^/]" if rest[0] == "?" else re.escape(rest[0])), place + 1
    return parts


def _one_of(characters: str, *, negated: bool) -> str:
    if not characters:
        return ""
    inside = re.sub(r"([\\\[\]^])", r"\\\1", characters)
    return f"(?!/)[{'^' if negated else ''}{inside}]"
