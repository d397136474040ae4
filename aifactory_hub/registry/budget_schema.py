"""The shape of ``budgets`` in ``tenants.yaml``; see ``schema``."""

from __future__ import annotations

from typing import Literal

from .scalars import Amount, Day, Share, Url
from .section import Section, key


class StepsSection(Section):
    warn: list[Share] = key("Per cent at which the budget's webhooks are told.", "[80, 95]", default=[])
    lower_priority: Share | None = key("Per cent from which jobs go after all others.", "95", default=None)
    no_borrowing: Share | None = key("Per cent from which jobs have the team's own devices only.", "95", default=None)
    hold: Share | None = key("Per cent from which new jobs are held.", "100", default=None)
    refuse_notebooks: Share | None = key("Per cent from which no notebook starts.", "100", default=None)
    end_notebooks: Share | None = key("Per cent at which notebooks that run are stopped.", "120", default=None)


class BudgetSection(Section):
    per: Literal["team", "person"] = key("Whose it is: the team's, or each person's own.", "person", default="team")
    gpu_hours: Amount | None = key("How many hours of whole GPUs.", "500", default=None)
    amount: Amount | None = key("How much money, in the currency of `billing`.", "4000", default=None)
    period: Literal["month", "quarter", "span"] = key(
        "The time that it is for: month, quarter or span.", "quarter", default="month"
    )
    first_day: Day | None = key("First day of a span.", "2026-01-01", default=None)
    last_day: Day | None = key("Last day of a span.", "2026-06-30", default=None)
    safe: bool = key("What jobs may still cost counts as if it were used.", "false", default=True)
    steps: StepsSection = key("What follows, at how many per cent of it.", "{warn: [80], hold: 100}")
    notify: list[Url] = key("Webhooks that are told.", "[https://hooks.example.org/b]", default=[])
