"""The types of what is asked of usage and bills. As in ``request_types``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .request_types import Line

MOST_HOLDS = 200
Month = Annotated[str | None, Field(max_length=32, description="A month of the site's zone; by default the present.")]


class MonthQuery(BaseModel):
    """Of which month."""

    model_config = ConfigDict(extra="forbid")

    month: Month = None


class SiteUsageQuery(MonthQuery):
    """Whose, and of which month."""

    user: Annotated[str, Field(max_length=255, description="The user's name at the hub.")]


class UsageQuery(MonthQuery):
    """Of which time, and added up by what."""

    since: Annotated[
        str | None, Field(alias="from", max_length=32, description="Instead of a month: a day, or seconds since 1970.")
    ] = None
    until: Annotated[
        str | None, Field(alias="to", max_length=32, description="With `from`: up to before it; by default now.")
    ] = None
    by: Annotated[
        Literal["user", "profile", "kind", "day", "hour"], Field(description="What is added up to one row.")
    ] = "user"


class PlatformQuery(MonthQuery):
    """Of which month, and added up by what."""

    by: Annotated[Literal["tenant", "profile", "day"], Field(description="What is added up to one row.")] = "tenant"


class HoldQuery(MonthQuery):
    """Which holds."""

    user: Annotated[str | None, Field(max_length=255, description="One user's only; empty: of unknown users.")] = None
    profile: Annotated[str | None, Field(max_length=253, description="Of one profile only.")] = None
    after: Annotated[
        str | None, Field(max_length=100, description="Those after this one: `next` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_HOLDS, description="How many at most.")] = 50


class BillQuery(BaseModel):
    """In which form."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[Literal["json", "csv"], Field(description="The form of the answer.")] = "json"


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("say why, in a sentence: it is kept with the correction")
    return text.strip()


Reason = Annotated[Line, Field(max_length=500), AfterValidator(_reason)]


class CorrectionRequest(BaseModel):
    """A hold's other end, or that it does not count at all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    end: Annotated[int | None, Field(ge=0, lt=2**40, description="When it ended, in seconds since 1970.")] = None
    void: Annotated[bool, Field(description="Whether it is struck out.")] = False
    reason: Reason
