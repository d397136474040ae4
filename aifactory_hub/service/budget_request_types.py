"""The types of what is asked of budgets. As in ``request_types``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .request_types import Line
from .usage_request_types import Reason

# Hours or money.
MOST_GRANTED = 10**9


def _amount(text: str) -> str:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount < MOST_GRANTED:
        raise ValueError("write a number above 0, such as 50 or 12.5, in the budget's unit")
    return text


class GrantRequest(BaseModel):
    """More of a budget for a time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    budget: Annotated[Line, Field(max_length=63, description="The budget's name.")]
    user: Annotated[Line | None, Field(max_length=255, description="Whose, for a budget of each person.")] = None
    amount: Annotated[str, Field(max_length=40, description="How much, in the budget's unit."), AfterValidator(_amount)]
    until: Annotated[int, Field(ge=0, lt=2**40, description="When it ends, in seconds since 1970.")]
    reason: Reason


class SiteBudgetQuery(BaseModel):
    """Of which server: a user's in a team, of a profile."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(max_length=255, description="The user's name at the hub.")]
    tenant: Annotated[list[str], Field(max_length=900, description="Teams.")] = []
    profile: Annotated[str | None, Field(max_length=253, description="The size of a server that is to start.")] = None
