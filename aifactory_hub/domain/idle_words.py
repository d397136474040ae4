"""What people read about idle servers, in one place for panel, Home, messages and the next start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aifactory_profiles import Catalogue

from .formatting import minute
from .idle_ladder import Act, IdleAct, IdleAction, IdleRules
from .server_ends import duration


def stop_words(since: float, rules: IdleRules) -> str:
    """Why a server was stopped, for its owner at the next start."""
    return (
        f"It held a GPU and nothing had used it for {duration(rules.after)}, since {minute(since)} at least, "
        "so it was stopped for others to have the GPU. Your files are kept."
    )


def notice_words(since: float | None, stop_at: float, rules: IdleRules) -> str:
    """What the owner is told before."""
    idle = "Nothing has used this server's GPU" + ("" if since is None else f" since {minute(since)} at least")
    if rules.action is IdleAction.DRY_RUN:
        return f"{idle}. It would be stopped at {minute(stop_at)}, but this site only tries that out: it runs on."
    if rules.action is IdleAction.NOTIFY:
        return f"{idle}. Stop it, or move it to a size without a GPU, if you don't need it."
    return f"{idle}. It is stopped at {minute(stop_at)}, for others to have the GPU. Files are kept, memory is not."


def owner_words(act: IdleAct, rules: IdleRules) -> str | None:
    """What the owner is told of a step by message; None: nothing."""
    if act.act is Act.NOTICED and act.until is not None:
        return notice_words(act.since, act.until, rules)
    return stop_words(act.since or act.at, rules) if act.act is Act.STOPPED else None


def unused_words(answer: Mapping[str, Any]) -> dict[str, str]:
    """The notices of a person's idle servers by the server's name, from the job service's answer about them.

    Raises KeyError or TypeError for an answer that is none.
    """
    return {each["server"]: str(each["notice"]["why"]) for each in answer["servers"] if each["notice"] is not None}


def size_without_gpu(menu: Iterable[str], catalogue: Catalogue) -> str | None:
    """The first size of a menu that takes no device; None where it has none."""
    known = (catalogue.profiles.get(name) for name in menu)
    return next((profile.name for profile in known if profile is not None and not profile.takes), None)
