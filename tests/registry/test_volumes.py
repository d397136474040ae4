"""Volumes of teams: what is read, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.tenants import TeamVolume
from aifactory_hub.registry import read_registry

from .files import GOOD, SOURCE, changed, problems

OF_NLP = "    profiles: [cpu-small, mig-1g.10gb, mig-3g.40gb]"


def with_volumes(text: str) -> str:
    return changed(OF_NLP, f"    volumes: {text}\n{OF_NLP}")


def test_they_are_read_only_unless_it_is_said() -> None:
    text = with_volumes(
        "{team: {claim: t, path: /home/jovyan/team, write: true}, claims: {claim: c, path: /data/claims}}"
    )
    assert read_registry(text, SOURCE).tenants["nlp"].volumes == (
        TeamVolume("team", "t", "/home/jovyan/team", write=True),
        TeamVolume("claims", "c", "/data/claims"),
    )
    assert read_registry(GOOD, SOURCE).tenants["nlp"].volumes == ()


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ("{a: {claim: c, path: data}}", "volumes.a.path: 'data' is not a folder; write it from the root"),
        ("{a: {claim: c, path: /data/../etc}}", "volumes.a.path: '/data/../etc' is not a folder"),
        ("{a: {claim: c, path: /}}", "volumes.a.path: '/' is not a folder"),
        ("{a: {claim: c, path: /etc/x}}", "volumes.a.path: '/etc/x' is the image's own"),
        ("{a: {claim: c, path: /home/jovyan}}", "volumes.a.path: '/home/jovyan' is the image's own"),
        ("{a: {claim: C_, path: /data}}", "volumes.a.claim: 'C_' is not a valid name"),
        ("{home: {claim: c, path: /data}}", "volumes.home: home is the volume with a person's home"),
        ("{a: {claim: c, path: /d}, b: {claim: e, path: /d}}", "volumes.b.path: a is at /d already"),
        ("{a: {path: /data}}", "volumes.a.claim: is missing"),
    ],
)
def test_a_wrong_one_is_named(volume: str, said: str) -> None:
    (found,) = problems(with_volumes(volume))
    assert f": tenants.nlp.{said}" in found
