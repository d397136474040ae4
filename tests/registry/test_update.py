"""What a new registry changes of an old one, and what of it waits for a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from aifactory_hub.domain.borrowing import Reclaim
from aifactory_hub.domain.environments import Environment, Kind
from aifactory_hub.domain.mapping import ExactRule
from aifactory_hub.domain.tenants import Role, VCluster
from aifactory_hub.registry import Registry
from aifactory_hub.registry.problems import Path
from aifactory_hub.registry.update import FIXED, Update, update_of

from ..support.job_service import make_registry
from ..support.tenants import SMALL, make_tenant

OLD = make_registry()
NLP = OLD.tenants["nlp"]


def teams(**changed: Any) -> Registry:
    """OLD with other teams; None takes one away."""
    return replace(OLD, tenants={name: team for name, team in {**OLD.tenants, **changed}.items() if team is not None})


def section(of: str, /, **changed: Any) -> Registry:
    given: Any = {of: replace(getattr(OLD, of), **changed)}
    return replace(OLD, **given)


TABLE: dict[str, tuple[Registry, Update]] = {
    "nothing": (make_registry(), Update()),
    "another order of teams": (replace(OLD, tenants=dict(reversed(list(OLD.tenants.items())))), Update()),
    "a team more": (teams(robots=make_tenant("robots")), Update(added=("robots",))),
    "a team less": (teams(vision=None), Update(removed=("vision",))),
    "one comes, one goes": (
        teams(vision=None, robots=make_tenant("robots")),
        Update(added=("robots",), removed=("vision",)),
    ),
    "another quota": (teams(nlp=make_tenant("nlp", quota={SMALL: 3})), Update(changed=("nlp",))),
    "another group": (
        teams(nlp=make_tenant("nlp", quota={SMALL: 2}, groups={"x": Role.ADMIN})),
        Update(changed=("nlp",)),
    ),
    "another vCluster": (
        teams(nlp=replace(NLP, vcluster=VCluster("vc-nlp", "other"))),
        Update(changed=("nlp",), fixed=(("tenants", "nlp", "vcluster"),)),
    ),
    "another vCluster of a team that is new": (
        teams(robots=replace(NLP, name="robots", vcluster=VCluster("a", "b"))),
        Update(added=("robots",)),
    ),
    "a limit of jobs": (section("jobs", max_log=1), Update(settings=("jobs.max_log",))),
    "images": (section("notebook", image="notebook:2"), Update(settings=("notebook.image",))),
    "who owns what is lent": (section("cluster", reclaim=Reclaim.NEVER), Update(settings=("cluster.reclaim",))),
    "the product's name": (section("site", name="GPU Hub"), Update(settings=("site.name",))),
    "taints": (section("isolation", tolerations=("gpu",)), Update(settings=("isolation.tolerations",))),
    "rules, under the name that the file has for them": (
        section("identity", rules=(ExactRule("x", "nlp", Role.MEMBER, "rule 1"),)),
        Update(settings=("identity.tenant_mapping",)),
    ),
    "prices": (
        replace(OLD, catalogue=replace(OLD.catalogue, profiles={})),
        Update(settings=("profiles",)),
    ),
    "the hub's name": (replace(OLD, hub="other"), Update(settings=("hub",), fixed=(("hub",),))),
    "the issuer": (
        section("identity", issuer="https://other.example"),
        Update(settings=("identity.issuer",), fixed=(("identity", "issuer"),)),
    ),
    "an address, and a team": (
        replace(section("addresses", public="https://hub.example/"), tenants={"nlp": NLP}),
        Update(removed=("vision",), settings=("addresses.public",), fixed=(("addresses", "public"),)),
    ),
    "engines": (
        section("jobs", engines=("jobset",)),
        Update(settings=("jobs.engines",), fixed=(("jobs", "engines"),)),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_changes_and_what_waits(case: str) -> None:
    new, expected = TABLE[case]
    assert update_of(OLD, new) == expected


@pytest.mark.parametrize("path", sorted(FIXED), ids=".".join)
def test_each_key_that_takes_a_restart_is_found(path: Path) -> None:
    def other(value: Any) -> Any:
        return (*value, "x") if isinstance(value, tuple) else f"{value}x"

    if len(path) == 1:
        new = replace(OLD, hub=other(OLD.hub))
    else:
        of, name = str(path[0]), str(path[1])
        assert name in {field.name for field in fields(getattr(OLD, of))}
        new = section(of, **{name: other(getattr(getattr(OLD, of), name))})
    assert update_of(OLD, new).fixed == (path,)


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (Update(), "nothing that counts changed"),
        (Update(added=("robots",)), "team robots added"),
        (Update(added=("a", "b"), removed=("c",)), "teams a, b added; team c removed"),
        (
            Update(changed=("nlp",), settings=("jobs.image", "profiles")),
            "team nlp changed; jobs.image, profiles changed",
        ),
    ],
)
def test_it_is_said_in_a_line(update: Update, said: str) -> None:
    assert update.text() == said


def test_every_section_of_the_registry_is_compared() -> None:
    """A section that is added to the model is either compared or named here."""
    by_hand: dict[str, Callable[[], Registry]] = {
        "hub": lambda: replace(OLD, hub="x"),
        "catalogue": lambda: replace(OLD, catalogue=replace(OLD.catalogue, profiles={})),
        "tenants": lambda: replace(OLD, tenants={}),
        "granted": lambda: replace(OLD, granted=("audio",)),
        "retired": lambda: replace(OLD, retired=("audio",)),
        "environments": lambda: replace(OLD, environments={"x": Environment("x", "X", Kind.LAB, {})}),
    }
    for field in fields(Registry):
        if field.name == "source":
            continue
        made = by_hand.get(field.name)
        if made is not None:
            assert update_of(OLD, made()) != Update(), field.name
            continue
        first = fields(getattr(OLD, field.name))[0].name
        assert update_of(OLD, section(field.name, **{first: ("another",)})) != Update(), field.name
