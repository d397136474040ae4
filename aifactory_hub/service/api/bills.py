"""Bills of teams, and what administrators of the platform see and do: all teams, closing, verifying, correcting."""

from __future__ import annotations

import logging
from functools import partial

from sqlalchemy.exc import IntegrityError

from ...domain.usage import FactKind, Hold, Source, UsageFact
from ...domain.usage_answers import By, Scope, check_length, corrected_note, named_month
from ...store.billing import ClosedMonth, MonthRefused
from ...store.usage_reports import Whose
from ..errors import ServiceError, bad_field, forbidden
from ..usage_answer_types import (
    BillAnswer,
    ClosedAnswer,
    Heatmap,
    HoldEvidence,
    PlatformBills,
    PlatformUsage,
    VerdictAnswer,
)
from ..usage_bills import months_bills
from ..usage_reader import UsageReader
from ..usage_request_types import BillQuery, CorrectionRequest, MonthQuery, PlatformQuery
from .base import run_sync
from .bill_answers import bill_answer, bill_csv, bills_answer, closed_answer
from .operations import operation
from .usage import OfHold, OfUsage, heatmap_answer
from .usage_answers import platform_usage

log = logging.getLogger(__name__)


class TeamBill(OfUsage):
    """A team's bill."""

    @operation(
        "getBill",
        "A team's bill of a month, for its admins; with `format=csv` its lines as CSV.",
        answer=BillAnswer,
        query=BillQuery,
    )
    async def get(self, tenant: str, month: str) -> None:
        """Of a closed month as it was stored; else as the ledger and the prices have it now."""
        scope, _ = await self.seen_in(await self.caller(), tenant)
        if scope is not Scope.TEAM:
            raise forbidden(f"The bills of team {tenant} are for its admins. Your own usage is at usage/me.")
        form, reader = self.query(BillQuery).format, self.usage_reader()
        if form == "csv":
            await send_csv(self, reader, month, tenant)
        else:
            await self.tell(partial(_bill, reader, month, tenant, self.currency))


def _bill(reader: UsageReader, month: str, tenant: str, currency: str) -> BillAnswer:
    found = months_bills(reader, month, tenant)
    return bill_answer(found, found.bills[0], reader.prices, as_of=reader.as_of, currency=currency)


async def send_csv(handler: OfUsage, reader: UsageReader, month: str, tenant: str | None) -> None:
    """The bill of one team, or of all, as a file."""
    text = await handler.told(lambda: bill_csv(months_bills(reader, month, tenant), reader.prices))
    handler.set_header("Content-Type", "text/csv; charset=utf-8")
    handler.set_header("Content-Disposition", f'attachment; filename="bill-{month}.csv"')
    handler.write(text)


class PlatformUsageAll(OfUsage):
    """All teams'."""

    @operation("getPlatformUsage", "What all teams used in a month.", answer=PlatformUsage, query=PlatformQuery)
    async def get(self) -> None:
        """For the hub's administrators."""
        await self.administrator()
        await self.tell(partial(_platform, self.usage_reader(), self.query(PlatformQuery), self.currency))


def _platform(reader: UsageReader, asked: PlatformQuery, currency: str) -> PlatformUsage:
    span, by = reader.span(asked.month), By(asked.by)
    check_length(span, by)
    summary, _ = reader.summary(span, Whose(), by)
    return platform_usage(summary, by, zone=reader.zone.key, as_of=reader.as_of, currency=currency)


class PlatformHeatmap(OfUsage):
    """When the cluster is used."""

    @operation(
        "getPlatformHeatmap",
        "How many pods of all teams, and how much of GPUs, were held at each hour of the week.",
        answer=Heatmap,
        query=MonthQuery,
    )
    async def get(self) -> None:
        """For the hub's administrators."""
        await self.administrator()
        month = self.query(MonthQuery).month
        await self.tell(partial(heatmap_answer, self.usage_reader(), Whose(), "platform", month, self.currency))


class PlatformBillsAll(OfUsage):
    """All teams' bills."""

    @operation(
        "getBills",
        "The bills of all teams of a month; with `format=csv` their lines as CSV.",
        answer=PlatformBills,
        query=BillQuery,
    )
    async def get(self, month: str) -> None:
        """For the hub's administrators."""
        await self.administrator()
        form, reader = self.query(BillQuery).format, self.usage_reader()
        if form == "csv":
            await send_csv(self, reader, month, None)
        else:
            await self.tell(partial(_bills, reader, month, self.currency))


def _bills(reader: UsageReader, month: str, currency: str) -> PlatformBills:
    return bills_answer(months_bills(reader, month), reader.prices, as_of=reader.as_of, currency=currency)


class CloseMonth(OfUsage):
    """Closing a month by hand."""

    @operation("closeMonth", "Close a month that is over: its bills never change any more.", answer=ClosedAnswer)
    async def post(self, month: str) -> None:
        """What comes later is booked as corrections in the month that is open then."""
        caller = await self.administrator(fresh=True)
        closed = await self.told(partial(self._close, month, caller.name))
        log.info("%s closed month %s, digest %s", caller.name, closed.span.name, closed.digest)
        self.answer(closed_answer(closed))

    def _close(self, month: str, by: str) -> ClosedMonth:
        context = self.context
        zone = context.registry.billing.zone
        span, now = named_month(month, zone), int(context.clock())
        try:
            return context.billing.close(span, zone.key, by=by, now=now, heard_at=context.heard_at())
        except MonthRefused as error:
            raise ServiceError(409, "month-refused", f"{error}.", field="month") from error
        except IntegrityError as error:
            message = f"{span.name} was closed by somebody else just now."
            raise ServiceError(409, "month-refused", message, field="month") from error


class Verify(OfUsage):
    """Looking for what was tampered with."""

    @operation("verifyUsage", "Whether the ledger is as it was written; all of it is read.", answer=VerdictAnswer)
    async def post(self) -> None:
        """Every event is chained to the one before, and every hold follows from events."""
        caller = await self.administrator(fresh=True)
        verdict = await run_sync(self.context.ledger.verify)
        if verdict.problem is not None:
            log.error("%s verified the ledger: %s", caller.name, verdict.problem)
        self.answer({"events": verdict.events, "holds": verdict.holds, "problem": verdict.problem})


class Corrections(OfHold):
    """What an administrator knows better."""

    @operation(
        "correctHold",
        "Give a hold another end, or strike it out; the evidence stays, and the last correction counts.",
        answer=HoldEvidence,
        body=CorrectionRequest,
        statuses=(201,),
    )
    async def post(self, tenant: str, pod: str) -> None:
        """A closed month is not changed: the difference is booked as a correction in the open one."""
        caller = await self.administrator(fresh=True)
        asked = await self.body(CorrectionRequest, caller.name)
        hold = await self.hold(Whose(tenant=tenant), pod)
        fact = _correction(hold, asked, caller.name, now=int(self.context.clock()))
        await run_sync(self.context.ledger.append, [fact])
        log.info("%s corrected the hold of pod %s: %s %d", caller.name, pod, fact.kind, fact.at)
        await self.tell_hold(await self.hold(Whose(tenant=tenant), pod), Scope.TEAM, 201)


def _correction(hold: Hold, asked: CorrectionRequest, by: str, *, now: int) -> UsageFact:
    """The fact. Raises ServiceError (400)."""
    note = corrected_note(asked.reason, by)
    if asked.void == (asked.end is not None):
        raise bad_field("end", "Say either end, in seconds since 1970, or void: true.")
    if asked.end is None:
        return UsageFact.exact(hold.pod, FactKind.VOID, Source.OPERATOR, hold.start, now, note=note)
    if not hold.start <= asked.end <= now:
        message = f"end is {asked.end}: the hold began at {hold.start}, and now is {now}. Say a second between both."
        raise bad_field("end", message)
    return UsageFact.exact(hold.pod, FactKind.CORRECTED, Source.OPERATOR, asked.end, now, note=note)
