"""What each handler's method is, said beside it: OpenAPI is made from this, and query parameters are read by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

Method = TypeVar("Method", bound=Callable[..., Any])


class Access(StrEnum):
    """Whose token a call needs."""

    PERSON = "person"  # a hub user's, with scopes for the tenant
    RUNNER = "runner"  # the job's own
    SITE = "site"  # the one that hub and service share
    PROVISIONER = "provisioner"  # the provisioner's own
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API.

    ``answer`` is the type of its JSON (None: the answer is of ``media_type``), ``statuses`` what it answers when all
    is well. Whatever goes wrong is a Problem, for every operation, so it is not said of each. ``receives`` is the
    media type of a body that is a file.
    """

    id: str
    summary: str
    answer: Any = None
    statuses: tuple[int, ...] = (200,)
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    access: Access = Access.PERSON
    media_type: str = "application/json"
    receives: str | None = None
    headers: tuple[str, ...] = ()


def operation(id: str, summary: str, **rest: Any) -> Callable[[Method], Method]:
    """Say what a handler's method is; see Operation for the rest."""

    def mark(method: Method) -> Method:
        vars(method)["operation"] = Operation(id, summary, **rest)
        return method

    return mark


def operation_of(method: object) -> Operation | None:
    """What was said of a method."""
    found = getattr(method, "operation", None)
    return found if isinstance(found, Operation) else None
