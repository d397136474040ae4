"""``aifactory-hub policy`` on a folder of rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main

from ..policy.rules import file_of, rule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, rule())
    return tmp_path


def write(folder: Path, *rules: dict[str, Any]) -> None:
    (folder / "site.yaml").write_text(file_of(*rules))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["policy", *map(str, words)])


def test_good_rules_pass(folder: Path) -> None:
    for command, said in (("test", "1 rules, 2 cases, 0 failed"), ("lint", "1 rules can be used")):
        done = run(command, folder)
        assert (done.exit_code, said in done.output) == (0, True), done.output


def test_a_case_that_fails_is_named_with_its_line(folder: Path) -> None:
    write(folder, rule(cases=[{"expect": "pass", "view": {"job": {"image": "a:1"}}}, {"expect": "fail"}]))
    done = run("test", folder)
    assert done.exit_code == 1
    assert "site.yaml:12: rule images-by-digest: case 'case 1': the rule fails" in done.output
    assert "1 rules, 2 cases, 2 failed" in done.output
    # Lint tries no case.
    assert run("lint", folder).exit_code == 0


@pytest.mark.parametrize("command", ["test", "lint", "explain"])
def test_rules_that_can_not_be_used_are_refused_with_their_place(folder: Path, command: str) -> None:
    write(folder, rule(assert_="job.nodes >"))
    done = run(command, folder)
    assert done.exit_code == 2
    assert "site.yaml:7:21: rules[0].assert: Syntax error" in done.output
    assert f"{folder}: 1 problem" in done.output


def test_lint_gives_advice(folder: Path) -> None:
    write(folder, rule(assert_="user.role == 'admin' || job.image.digest != ''"))
    said = "user.role is not always known, and then the rule refuses: ask for has(user.role)"
    assert said in run("lint", folder).output


def test_the_starter_pack_is_good_and_gets_no_advice(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    assert run("starter", pack).exit_code == 0
    assert run("test", pack).output.endswith(" 0 failed\n")
    assert run("lint", pack).output.endswith("rules can be used, 0 pieces of advice\n")
    assert run("starter", pack).exit_code == 1  # it is never written over


def test_explain_says_what_a_rule_does(folder: Path) -> None:
    write(
        folder,
        rule(verbs=["submit"], scope={"teams": ["nlp"]}, when="job.nodes > 0"),
        rule(id="two", severity="soft", overridable_by="admin", enforce_from="2027-01-02"),
        rule(id="three", approval=[{"role": "security", "count": 2}]),
        rule(id="four", severity="advisory"),
    )
    told = run("explain", folder).output
    assert "It is asked before a job is submitted, in team nlp." in told
    assert "It refuses, and nobody can override it." in told
    assert "one of the team's admins may override it for one request" in told
    assert "before 2027-01-02 it is only tried." in told
    assert "It holds what is asked until it is approved by 2 of security." in told
    assert "It says so, and stops nothing." in told
    assert "two" not in run("explain", folder, "four").output
    assert "has no rule 'nine'; it has images-by-digest, two" in run("explain", folder, "nine").output
