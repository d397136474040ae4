"""Whose a pod is, and what it holds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from aifactory_hub.constants import LABEL_HUB, LABEL_OWNER, LABEL_OWNER_KIND, LABEL_PROFILE, LABEL_USER
from aifactory_hub.domain.pods import PodFact
from aifactory_hub.domain.possessions import Claim, gpu_part, is_metered, label_claim, owner_of, possession
from aifactory_hub.domain.usage import Attribution, Possession
from aifactory_profiles import load_catalogue
from aifactory_profiles.catalogue import SiteProfile

from ..support.kube_objects import make_tenant

CATALOGUE = load_catalogue(
    ["h100-80gb"],
    [
        SiteProfile("cpu-small", cpu_only=True, cpu_millicores=500, memory_bytes=2**30, price_per_hour=Decimal("0.1")),
        SiteProfile("whole", gpu="whole", count=2),
        SiteProfile("turn", gpu="shared", replicas=4),
    ],
)
NLP = replace(make_tenant("nlp"), profiles=("cpu-small", "mig-1g.10gb", "mig-3g.40gb"))
SMALL = (("nvidia.com/mig-1g.10gb", 1),)
LABELS = {
    LABEL_HUB: "main",
    LABEL_OWNER_KIND: "server",
    LABEL_OWNER: "ada",
    LABEL_USER: "ada",
    LABEL_PROFILE: "mig-1g.10gb",
}


def pod(
    labels: dict[str, str] | None = None, devices: tuple[tuple[str, int], ...] = SMALL, namespace: str = "notebooks"
) -> PodFact:
    held = LABELS if labels is None else labels
    return PodFact(
        "vc-nlp", "nlp", namespace, "nb-ada", "u1", "host", "Running", node="n1", labels=held, devices=devices
    )


def whose(found: PodFact, claim: Claim | None) -> Possession:
    return possession(NLP, found, owner_of(found, "main"), claim, CATALOGUE, simulated=False)


def test_what_the_hub_decided_counts_and_not_the_labels() -> None:
    held = whose(pod(), Claim("ada@example.org", "mig-1g.10gb", Attribution.TICKET))
    assert (held.user, held.profile, held.kind, held.owner) == ("ada@example.org", "mig-1g.10gb", "server", "ada")
    assert (held.devices, held.gpus) == ({"h100-80gb/nvidia.com/mig-1g.10gb": 1}, Fraction(1, 7))


def test_where_nobody_else_knows_the_labels_have_to_do() -> None:
    assert label_claim(pod()) == Claim("ada", "mig-1g.10gb", Attribution.LABEL)
    assert label_claim(pod({})) is None


@pytest.mark.parametrize(
    ("labels", "namespace"),
    [({}, "notebooks"), ({**LABELS, LABEL_HUB: "other"}, "notebooks"), (LABELS, "default"), (LABELS, "jobs")],
)
def test_a_pod_that_a_team_made_past_the_hub_is_its_own_and_priced_by_what_it_holds(
    labels: dict[str, str], namespace: str
) -> None:
    held = whose(pod(labels, namespace=namespace), None)
    assert (held.tenant, held.user, held.kind, held.owner) == ("nlp", "", "pod", "")
    assert (held.profile, held.attribution) == ("mig-1g.10gb", Attribution.NONE)


def test_a_profile_that_takes_other_devices_than_the_pod_has_is_not_believed() -> None:
    cheap = Claim("ada", "cpu-small", Attribution.LABEL)
    large = pod(devices=(("nvidia.com/mig-3g.40gb", 1),))
    assert (whose(large, cheap).profile, whose(large, cheap).gpus) == ("mig-3g.40gb", Fraction(1, 2))
    strange = whose(pod(devices=(("example.org/fpga", 1),)), cheap)
    assert (strange.profile, strange.devices, strange.gpus) == ("", {"example.org/fpga": 1}, None)


def test_a_profile_without_a_gpu_is_metered_and_the_parts_of_a_vcluster_are_not() -> None:
    small = pod(devices=())
    held = whose(small, Claim("ada", "cpu-small", Attribution.TICKET))
    assert (held.profile, held.devices, held.gpus) == ("cpu-small", {}, Fraction(0))
    assert is_metered(small)
    assert not is_metered(pod({}, (), namespace="kube-system"))
    assert is_metered(pod({}, SMALL, namespace="kube-system"))


@pytest.mark.parametrize(
    ("profile", "part"),
    [
        ("cpu-small", Fraction(0)),
        ("whole", Fraction(2)),
        ("turn", Fraction(1, 4)),
        ("mig-1g.20gb", Fraction(1, 4)),
        ("mig-4g.40gb", Fraction(4, 7)),
        ("mig-7g.80gb", Fraction(1)),
    ],
)
def test_the_part_of_a_gpu_is_exact(profile: str, part: Fraction) -> None:
    assert gpu_part(CATALOGUE.profile(profile), CATALOGUE) == part
