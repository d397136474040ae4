"""A rule about pods says the same before and on the cluster: expressions, and all cases of the starter pack, through a
real kube-apiserver and through our evaluator, with the same verdict in the same words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.gates import Answer, Rule
from aifactory_hub.domain.tenants import VCluster
from aifactory_hub.domain.verdicts import Severity, Target
from aifactory_hub.policy import load_bundle
from aifactory_hub.policy.engine import Engine
from aifactory_hub.policy.samples import sample
from aifactory_hub.registry.rule_objects import rule_objects

from ..support.tenants import make_tenant
from .api_server import BROKEN, ApiServer, api_server, missing

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(missing()), reason=missing() or "built")]

STARTER = Path(__file__).parents[2] / "aifactory_hub" / "policy" / "starter"
# Seconds. The API server takes up new policies once a second.
_TAKEN_UP, _SETTLES = 30.0, 2.0

# What is true, false or an error there has to be that here. ``c`` is the pod's first container.
EXPRESSIONS = (
    "true",
    "false",
    "1 == 1 && 2.0 > 1.0",
    "object.spec.containers.size() == 1",
    "object.spec.containers.all(c, c.image.contains('@sha256:'))",
    "object.spec.containers.exists(c, c.image.endsWith(':latest'))",
    "object.spec.containers.exists_one(c, c.name == 'job-0')",
    "object.spec.containers.map(c, c.name) == ['job-0']",
    "object.spec.containers.filter(c, has(c.livenessProbe)).size() > 0",
    "has(object.spec.hostNetwork) && object.spec.hostNetwork",
    "has(object.spec.nowhere)",
    "object.spec.nowhere == 1",
    "object.spec.containers[3].image == ''",
    "object.spec.containers[0].image.matches('^images[.]example[.]org/.+@sha256:[0-9a-f]{64}$')",
    "object.spec.containers[0].image.split('@').size() == 2",
    "object.spec.containers[0].image.replace('images', 'x').startsWith('x.example')",
    "object.spec.containers[0].image.substring(0, 6) == 'images'",
    "object.spec.containers[0].image.indexOf('/') == 18",
    "object.spec.containers[0].image.lowerAscii() == object.spec.containers[0].image",
    "['a', 'b'].join('-') == 'a-b'",
    "'%s has %d'.format(['a', 1]) == 'a has 1'",
    "size('ä€😀') == 3",
    "'nvidia.com/mig-1g.10gb' in object.spec.containers[0].resources.limits",
    "object.spec.containers[0].resources.limits.exists(k, k.startsWith('nvidia.com/'))",
    "quantity(object.spec.containers[0].resources.limits['memory']).isGreaterThan(quantity('2Gi'))",
    "quantity(object.spec.containers[0].resources.limits['cpu']).compareTo(quantity('2000m')) == 0",
    "quantity('1.5Gi').isLessThan(quantity('1Gi'))",
    "quantity('1Gi').add(quantity('1Gi')) == quantity('2Gi')",
    "quantity('many').isLessThan(quantity('1Gi'))",
    "isQuantity('10Mi') && !isQuantity('ten')",
    "object.?spec.?nowhere.orValue('none') == 'none'",
    "object.spec.?restartPolicy.orValue('') == 'Never'",
    "object.metadata.?labels[?'a'].orValue('') == ''",
    "true || object.spec.nowhere == 1",
    "object.spec.nowhere == 1 || true",
    "object.spec.nowhere == 1 && false",
    "false ? object.spec.nowhere == 1 : true",
    "request.operation == 'CREATE'",
    "int('7') + 1 == 8 && double('1.5') == 1.5 && string(7) == '7'",
    "duration('1h') > duration('59m')",
    "timestamp('2027-01-01T00:00:00Z').getFullYear() == 2027",
    "7 / 2 == 3 && -7 % 3 == -1",
    "1 / 0 == 1",
    "type(1) == int && type('a') == string",
    "{'a': 1}.all(k, k == 'a')",
    "'a' < 'b' && [1, 2] + [3] == [1, 2, 3]",
    "object.spec.containers[0].env.all(e, e.name.matches('^[A-Z_0-9]+$'))",
    "object.spec.containers.all(c, c.env.all(e, c.volumeMounts.all(m, e.name != m.name)))",
)
MESSAGES = (
    "'  trimmed  '",
    "'image ' + object.spec.containers[0].image",
    "'containers: ' + string(object.spec.containers.size())",
    "object.spec.nowhere + ' is missing'",
    "''",
    "'two\\nlines'",
    "'%s and %d'.format(['a', 2])",
)


@dataclass(frozen=True)
class Tried:
    """A rule in a namespace of its own."""

    rule: Rule
    namespace: str


def hard(name: str, holds: str, message: str = "'no'", **rest: Any) -> Rule:
    return Rule(name, f"Title of {name}", Target.POD, Severity.HARD, holds, message, **rest)


def corpus() -> list[Rule]:
    found = [hard(f"expression-{number}", text) for number, text in enumerate(EXPRESSIONS)]
    found += [hard(f"message-{number}", "false", text) for number, text in enumerate(MESSAGES)]
    found += [hard(f"when-{number}", "false", condition=text) for number, text in enumerate(EXPRESSIONS[:15])]
    bad = "object.spec.nowhere"
    found.append(
        hard("variables", "variables.two == 2", variables={"one": "1", "two": "variables.one + 1", "bad": bad})
    )
    found.append(hard("bad-variable", "variables.bad == 2", variables={"bad": bad}))
    # A condition that can't be evaluated is no yes, whatever the rule says.
    found.append(hard("bad-condition", "true", condition=f"{bad} == 1"))
    return found


def starter() -> list[Rule]:
    return [replace(rule, severity=Severity.HARD) for rule in load_bundle(STARTER).bundle.of(Target.POD)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, dict[str, Tried]]]:
    with api_server(tmp_path_factory.mktemp("api")) as running:
        tried = {}
        for number, rule in enumerate([*corpus(), *starter(), hard("last", "false")]):
            tenant = replace(make_tenant("nlp"), vcluster=VCluster(f"vc-{number}", "nlp"))
            running.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"vc-{number}"}})
            for made in rule_objects("test", [tenant], [rule]):
                running.create(made)
            tried[rule.id] = Tried(rule, f"vc-{number}")
        until = time.monotonic() + _TAKEN_UP
        while not running.refusal(sample(Target.POD)["object"], tried["last"].namespace):
            assert time.monotonic() < until, "the API server takes up no policies"
            time.sleep(0.3)
        time.sleep(_SETTLES)
        yield running, tried


def same(server: tuple[ApiServer, dict[str, Tried]], rule: Rule, view: Mapping[str, Any]) -> None:
    """What both say of this rule and pod is the same."""
    running, tried = server
    engine = Engine()
    engine.add(rule)
    ours = engine.evaluate(rule, view)
    theirs = running.refusal(view["object"], tried[rule.id].namespace)
    assert (theirs == "") == (ours.answer in (Answer.PASSES, Answer.SILENT)), (rule, ours, theirs)
    assert (BROKEN in theirs) == (ours.answer is Answer.BROKEN), (rule, ours, theirs)
    if ours.answer is Answer.FAILS:
        assert theirs.endswith(f"denied request: {ours.message}"), (ours.message, theirs)


@pytest.mark.parametrize("rule", corpus(), ids=lambda rule: rule.id)
def test_an_expression_says_the_same(server: tuple[ApiServer, dict[str, Tried]], rule: Rule) -> None:
    same(server, rule, sample(Target.POD))


@pytest.mark.parametrize("rule", starter(), ids=lambda rule: rule.id)
def test_all_cases_of_the_starter_pack_say_the_same(server: tuple[ApiServer, dict[str, Tried]], rule: Rule) -> None:
    assert {case.passes for case in rule.cases} == {True, False}
    for case in rule.cases:
        same(server, rule, case.view)
