"""What jobs have cost by the ledger."""

from __future__ import annotations

from decimal import Decimal

from aifactory_hub.domain.job_costs import HeldCost, Run, held_costs
from aifactory_hub.domain.prices import Prices, PriceVersion
from aifactory_hub.domain.usage import Hold, Possession

PRICES = Prices.of(
    [PriceVersion("small", 0, Decimal("1.00"), "EUR", 1), PriceVersion("small", 3600, Decimal(2), "EUR", 2)]
)
NLP = Possession("nlp", "ada", "small", "job", "j1")


def test_all_runs_of_a_job_count_each_second_at_the_price_that_counted_then() -> None:
    runs = {"j1": Run("j1", 1, "nlp"), "j1r2": Run("j1", 2, "nlp")}
    holds = {"j1": [Hold("p1", NLP, 0, 1800)], "j1r2": [Hold("p2", NLP, 3000)]}
    # Half an hour and ten minutes at 1.00, then an hour at 2.00.
    assert held_costs(runs, holds, PRICES, 7200) == {"j1": HeldCost(1, Decimal("2.67"))}


def test_the_first_run_that_the_ledger_knows_is_named() -> None:
    runs = {"j1": Run("j1", 1, "nlp"), "j1r2": Run("j1", 2, "nlp"), "j2": Run("j2", 1, "nlp")}
    assert held_costs(runs, {"j1r2": [Hold("p2", NLP, 0, 3600)]}, PRICES, 7200) == {"j1": HeldCost(2, Decimal("1.00"))}


def test_a_pod_of_another_team_that_names_the_run_is_no_part_of_it() -> None:
    forged = Hold("p9", Possession("vision", "eve", "small", "job", "j1"), 0, 3600)
    assert held_costs({"j1": Run("j1", 1, "nlp")}, {"j1": [forged]}, PRICES, 7200) == {}


def test_a_profile_without_a_price_costs_nothing_that_is_known() -> None:
    odd = Hold("p1", Possession("nlp", "ada", "odd", "job", "j1"), 0, 3600)
    assert held_costs({"j1": Run("j1", 1, "nlp")}, {"j1": [odd]}, PRICES, 7200) == {"j1": HeldCost(1, None)}
