"""A folder of rules is read whole or refused with the file, line and column of each problem."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from aifactory_hub.domain.verdicts import Need, Severity, Target, Verb
from aifactory_hub.policy import PolicyError, load_bundle
from aifactory_hub.policy.load import LARGEST_FILE, MOST_FILES, bundle_of, digest_of

from .rules import HEAD, file_of, rule

LOOP = "job.environment.all(a, job.environment.all(b, job.environment.all(c, a + b + c != '')))"


def problems(*rules: dict[str, Any], name: str = "site.yaml") -> list[str]:
    with pytest.raises(PolicyError) as refused:
        bundle_of({name: file_of(*rules)})
    return [problem.text() for problem in refused.value.problems]


def test_a_rule_is_read_whole() -> None:
    made = rule(
        severity="soft",
        verbs=["submit", "retry"],
        scope={"teams": ["nlp"], "engines": ["jobset"]},
        when="user.name != ''",
        overridable_by="admin",
        enforce_from="2027-01-02",
    )
    [read] = bundle_of({"site.yaml": file_of(made)}).bundle.rules
    assert (read.id, read.title, read.target, read.severity) == (
        "images-by-digest",
        "Images are named by digest",
        Target.JOB,
        Severity.SOFT,
    )
    assert (read.verbs, read.teams, read.engines) == (
        frozenset({Verb.SUBMIT, Verb.RETRY}),
        frozenset({"nlp"}),
        frozenset({"jobset"}),
    )
    assert (read.overridable_by, read.enforce_from) == ("admin", 1_798_848_000.0)
    assert (read.source, read.line, len(read.cases)) == ("site.yaml", 3, 2)


def test_approvals_are_needs() -> None:
    made = rule(approval=[{"role": "admin"}, {"role": "security", "count": 2}])
    [read] = bundle_of({"a.yaml": file_of(made)}).bundle.rules
    assert read.needs == (Need("admin"), Need("security", 2))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"severity": "fatal"}, "rules[0].severity: 'fatal' is not possible here; input should be 'advisory'"),
        (
            {"target": "server", "severity": "soft", "overridable_by": "admin"},
            "rules[0].severity: the hub starts servers, and knows neither overrides nor approvals; make it hard",
        ),
        ({"severity": "soft"}, "rules[0].severity: soft, and nobody may override it; add overridable_by"),
        ({"overridable_by": "admin"}, "rules[0].overridable_by: only a soft rule without approval can be overridden"),
        ({"severity": "advisory", "approval": [{"role": "admin"}]}, "rules[0].approval: an advisory rule never stops"),
        ({"asert": "true"}, "rules[0].asert: unknown key; the keys here are id, title, target"),
        ({"assert_": None}, "rules[0].assert: is missing"),
        ({"message": None}, "rules[0].message: is missing; add an expression"),
        ({"fix": None}, "rules[0].fix: is missing; add a sentence"),
        ({"id": "Images By Digest"}, "rules[0].id: 'Images By Digest' is not possible here; write lower-case letters"),
        ({"target": "cluster"}, "rules[0].target: 'cluster' is not possible here"),
        ({"verbs": ["launch"]}, "rules[0].verbs[0]: 'launch' is not possible here"),
        ({"enforce_from": "soon"}, "rules[0].enforce_from: 'soon' is not possible here; write a day such as"),
        ({"cases": [{"expect": "pass"}]}, "rules[0].cases: no case has expect: fail; add one"),
        ({"cases": None}, "rules[0].cases: no case has expect: pass; add one"),
        ({"variables": {"a-b": "1"}}, "rules[0].variables: {'a-b': '1'} is not possible here; 'a-b' is no name"),
        ({"approval": [{"role": "admin", "count": 0}]}, "rules[0].approval[0].count: 0 is not possible here"),
    ],
)
def test_a_wrong_form_is_named(changes: dict[str, Any], said: str) -> None:
    assert any(said in each for each in problems(rule(**changes))), problems(rule(**changes))


def test_all_problems_are_told_at_once_in_the_order_of_the_files() -> None:
    bad = file_of(rule(id="one", severity="fatal"), rule(id="two", fix=None))
    with pytest.raises(PolicyError) as refused:
        bundle_of({"b.yaml": bad, "a.yaml": "rules: ["})
    assert [problem.source for problem in refused.value.problems] == ["a.yaml", "b.yaml", "b.yaml"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"assert_": "job.nodes >"}, "rules[0].assert: Syntax error"),
        ({"assert_": "jobs.nodes > 1"}, "rules[0].assert: undeclared reference to 'jobs"),
        ({"assert_": "'text'"}, "rules[0].assert: it is of type STRING, and has to be of type BOOL"),
        ({"message": "1 + 1"}, "rules[0].message: it is of type INT, and has to be of type STRING"),
        ({"when": "1 == 'a'"}, "rules[0].when: found no matching overload"),
        ({"assert_": "cel.bind(x, 1, x == 1)"}, "rules[0].assert: undeclared reference to 'x'"),
        ({"assert_": "'a' in job.environment" + " || true" * 5000}, "it has more than 20000 characters"),
        ({"assert_": "job.name.matches('(')"}, "rules[0].assert: invalid regular expression: missing )"),
        ({"assert_": LOOP}, "rules[0].assert: on the largest view it loops more than 9,999 times"),
        ({"when": "false", "message": f"string({LOOP})"}, "rules[0].message: on the largest view it loops"),
        ({"variables": {"deep": LOOP}}, "rules[0].variables.deep: on the largest view it loops"),
        ({"assert_": "(" * 40 + "true" + ")" * 40}, "rules[0].assert: Expression recursion limit exceeded"),
    ],
)
def test_an_expression_that_can_not_be_used_is_refused(changes: dict[str, Any], said: str) -> None:
    found = problems(rule(**changes))
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    ("written", "line", "column"),
    [
        ("    assert: job.nodes > 1 && bad", 7, 30),
        ("    assert: 'job.name == ''a'' && bad'", 7, 35),
        ('    assert: "job.nodes > 1 && bad"', 7, 31),
        ("    assert: |\n\n      job.nodes > 1 &&\n      bad", 10, 7),
        ("    assert: >-\n      job.nodes > 1 &&\n      bad", 9, 7),
        ("    assert: job.nodes > 1 &&\n        bad", 8, 9),
    ],
)
def test_a_mistake_has_its_own_line_and_column(written: str, line: int, column: int) -> None:
    text = (
        HEAD
        + dedent(
            """\
          - id: one
            title: One
            target: job
            severity: hard
        %s
            message: "'no'"
            fix: Mend it.
            cases: [{expect: pass}, {expect: fail}]
        """
        )
        .replace("          -", "  -")
        .replace("            ", "    ")
        % written
    )
    with pytest.raises(PolicyError) as refused:
        bundle_of({"site.yaml": text})
    [problem] = refused.value.problems
    assert (problem.line, problem.column) == (line, column), problem.text()
    assert problem.what.startswith("undeclared reference to 'bad'")


def test_a_bundle_whose_cases_fail_is_refused() -> None:
    cases = [{"expect": "fail"}, {"name": "by tag", "expect": "pass", "view": {"job": {"image": "a:1"}}}]
    assert [each.split(": ", 1)[1] for each in problems(rule(cases=cases))] == [
        "rule images-by-digest: case 'case 1': the rule passes, and the case says that it fails; correct the rule or "
        "the case",
        "rule images-by-digest: case 'by tag': the rule fails, and the case says that it passes: the image a:1 is "
        "named by a tag; correct the rule or the case",
    ]


def test_a_case_can_say_the_words() -> None:
    words = {"expect": "fail", "message": "no", "view": {"job": {"image": "a:1"}}}
    [said] = problems(rule(cases=[{"expect": "pass"}, words]))
    assert "the rule says 'the image a:1 is named by a tag', and the case says 'no'" in said


def test_a_case_where_the_rule_can_not_be_evaluated_fails() -> None:
    [said] = problems(rule(assert_="job.image.digest != '' || job.nowhere", cases=rule()["cases"]))
    assert "the rule could not be evaluated: Key not found in map" in said


def test_a_case_that_fails_meets_the_condition() -> None:
    [said] = problems(rule(when="job.nodes > 4"))
    assert "the condition of rule images-by-digest is not met" in said


def test_an_id_is_given_once_and_a_team_takes_none_of_the_site() -> None:
    with pytest.raises(PolicyError) as refused:
        bundle_of({"a.yaml": file_of(rule()), "b.yaml": file_of(rule()), "teams/nlp/c.yaml": file_of(rule())})
    assert [each.text() for each in refused.value.problems] == [
        "b.yaml:3:3: rules[0].id: given twice, first in a.yaml:3; take another id",
        "teams/nlp/c.yaml:3:3: rules[0].id: the site has a rule 'images-by-digest' (a.yaml:3), which no team's rule "
        "replaces; take another id",
    ]


def test_a_team_makes_rules_for_itself_alone() -> None:
    [read] = bundle_of({"teams/nlp/own.yaml": file_of(rule())}).bundle.rules
    assert (read.owner, read.teams) == ("nlp", frozenset({"nlp"}))
    [said] = problems(rule(scope={"teams": ["vision"]}), name="teams/nlp/own.yaml")
    assert "rules in teams/nlp are about team nlp alone" in said


def test_rules_of_pods_say_nothing_that_the_host_does_not_know() -> None:
    pod = rule(
        target="pod",
        assert_="object.spec.containers.all(c, c.image.contains('@'))",
        message="'no digest'",
        cases=[{"expect": "pass"}, {"expect": "fail", "view": {"object": {"spec": {"containers": [{"image": "a"}]}}}}],
    )
    assert bundle_of({"a.yaml": file_of(pod)}).bundle.rules[0].target is Target.POD
    for key, value in (("verbs", ["submit"]), ("approval", [{"role": "admin"}]), ("scope", {"engines": ["jobset"]})):
        [said] = problems(pod | {key: value})
        assert "the host's API server judges pods too, and does not know it" in said


def test_the_api_server_has_to_know_the_types_of_rules_of_pods() -> None:
    loose = rule(target="pod", assert_="object.spec.fine", message="object.spec.words")
    assert [each.split(": ", 1)[1] for each in problems(loose)] == [
        "rules[0].assert: it is of type DYN, and has to be of type BOOL; correct the expression"
    ]


def test_the_digest_covers_names_and_texts() -> None:
    one = {"a.yaml": "x", "b.yaml": "y"}
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    assert len({digest_of(each) for each in (one, {"a.yaml": "xy"}, {"a.yaml": "y", "b.yaml": "x"}, {})}) == 4
    assert digest_of({}) == ""


def test_a_folder_is_read_with_its_teams(tmp_path: Path) -> None:
    (tmp_path / "teams" / "nlp").mkdir(parents=True)
    (tmp_path / "site.yaml").write_text(file_of(rule()))
    (tmp_path / "teams" / "nlp" / "own.yml").write_text(file_of(rule(id="own")))
    (tmp_path / "README.md").write_text("# not a rule")
    (tmp_path / ".hidden.yaml").write_text("not: a rule")
    assert [each.id for each in load_bundle(tmp_path).bundle.rules] == ["images-by-digest", "own"]


def test_folders_that_can_not_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file or directory"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(PolicyError, match="it has no file of rules"):
        load_bundle(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(PolicyError, match="byte 0 is not UTF-8"):
        load_bundle(tmp_path)
    (tmp_path / "a.yaml").write_text("#" * (LARGEST_FILE + 1))
    with pytest.raises(PolicyError, match="it has more than 256 KiB"):
        load_bundle(tmp_path)
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.yaml").write_text("")
    with pytest.raises(PolicyError, match="it has more than 200 files"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "a: 1\na: 2", "rules: 3", "apiVersion: v1\nrules: [1]"])
def test_what_is_no_file_of_rules_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        bundle_of({"a.yaml": text})
    assert all(problem.source == "a.yaml" and problem.line for problem in refused.value.problems)
