"""The command line as somebody types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub import __version__
from aifactory_hub.cli import main
from aifactory_hub.cli.loading import load

from ..registry.files import GOOD, changed


@pytest.fixture
def good(tmp_path: Path) -> str:
    file = tmp_path / "tenants.yaml"
    file.write_text(GOOD, encoding="utf-8")
    return str(file)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_the_version_is_the_package_s() -> None:
    assert run("--version").output == f"aifactory-hub, version {__version__}\n"


def test_a_good_file_is_summed_up(good: str) -> None:
    result = run("tenants", "check", good)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{good}: hub main, cluster host, its GPUs are simulated",
        "  nvidia.com/mig-1g.10gb (h100-80gb): 6 of 7 given to tenants",
        "  nvidia.com/mig-3g.40gb (h100-80gb): 1 of 2 given to tenants",
        "tenant nlp (Language): vCluster nlp in vc-nlp",
        "  cpu-small: 250m cpu, 1Gi memory",
        "  mig-1g.10gb: 500m cpu, 2Gi memory, 5 at most",
        "  mig-3g.40gb: 6000m cpu, 48Gi memory, 1 at most",
        "tenant vision (vision): vCluster vision in vc-vision",
        "  mig-1g.10gb: 500m cpu, 2Gi memory, 3 at most",
    ]


@pytest.mark.parametrize(
    "command", [["tenants", "check"], ["tenants", "render"], ["explain-groups", "--group", "a"]], ids=" ".join
)
def test_a_bad_file_ends_with_2_and_the_plain_list_of_problems(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(changed("hub: main", "hub: main\nhubs: x").replace("role: admin", "role: boss"), encoding="utf-8")
    result = run(*command, str(file))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"{file}:3: hubs: unknown key; did you mean hub?",
        f"{file}:32: tenants.nlp.groups[1].role: 'boss' is not a role; the roles are viewer, member, admin",
        f"{file}: 2 problems",
    ]


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = run("tenants", "check", str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "the file can't be read: No such file or directory" in result.stderr


def test_the_host_s_part_is_rendered_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "tenants.yaml"
    file.write_text(f"{GOOD}isolation: {{api_servers: [10.0.0.10/32]}}\n", encoding="utf-8")
    good = str(file)
    everything = run("tenants", "render", good).output
    assert "kind: ClusterRole\n" in everything
    assert everything.count("kind: ClusterQueue\n") == 4  # each team's own, and that of its jobs
    one = run("tenants", "render", good, "--tenant", "vision").output
    assert one.count("kind: ClusterQueue\n") == 2
    assert "nlp" not in one


def test_the_vclusters_part_is_one_document_a_tenant(good: str) -> None:
    assert run("tenants", "render", good, "--part", "vcluster").output.count("\nexportKubeConfig:") == 2
    assert run("tenants", "render", good, "--part", "vcluster", "--tenant", "nlp").output.count("\n---\n") == 0


def test_a_tenant_that_is_not_there_is_named_with_those_that_are(good: str) -> None:
    result = run("tenants", "render", good, "--tenant", "robots")
    assert result.exit_code == 2
    assert "has no tenant 'robots'; it has nlp, vision" in result.stderr


def test_groups_are_explained_rule_by_rule(good: str) -> None:
    result = run("explain-groups", good, "--group", "teams/nlp", "--group", "teams/nlp/admins", "--group", "other")
    assert result.output.splitlines() == [
        "group teams/nlp: member of nlp (rule 1 of tenant nlp)",
        "group teams/nlp/admins: admin of nlp (rule 2 of tenant nlp)",
        "group other: no rule claims it",
        "tenant nlp: admin",
        "hub groups: tenant-nlp, tenant-nlp-admin",
    ]


def test_somebody_without_a_tenant_is_said_to_be_refused(good: str) -> None:
    assert "no tenant: this person is refused at sign-in" in run("explain-groups", good, "--group", "x").output


def claims_file(folder: Path, text: str) -> str:
    file = folder / "claims.json"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_the_groups_of_claims_are_explained(good: str, tmp_path: Path) -> None:
    said = ["group teams/nlp: member of nlp (rule 1 of tenant nlp)", "tenant nlp: member", "hub groups: tenant-nlp"]
    text = '{"sub": "1", "groups": ["teams/nlp"]}'
    assert run("explain-groups", good, "--claims", claims_file(tmp_path, text)).output.splitlines() == said
    piped = CliRunner().invoke(main, ["explain-groups", good, "--claims", "-"], input=text)
    assert piped.output.splitlines() == said


def test_claims_without_groups_are_told_with_what_did_arrive(good: str, tmp_path: Path) -> None:
    result = run("explain-groups", good, "--claims", claims_file(tmp_path, '{"sub": "1", "roles": ["x"]}'))
    assert result.output.splitlines() == [
        "Expected: groups in the claim 'groups' of the file. Arrived: roles, sub.",
        "no tenant: this person is refused at sign-in",
        "hub groups: none",
    ]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('{"groups": "teams/nlp"}', 1, "is the text 'teams/nlp'; a list of group names was expected."),
        ('{"_claim_names": {"groups": "src1"}}', 1, "because you are in too many groups"),
        ("[]", 2, "is no JSON object with claims"),
        ("{", 2, "is no JSON: "),
        (None, 2, "can't be read: No such file or directory"),
    ],
    ids=["one text", "overage", "a list", "no JSON", "no file"],
)
def test_claims_that_say_nothing_are_refused_in_words(
    good: str, tmp_path: Path, text: str | None, code: int, said: str
) -> None:
    file = claims_file(tmp_path, text) if text is not None else str(tmp_path / "none.json")
    result = run("explain-groups", good, "--claims", file)
    assert result.exit_code == code
    assert said in result.stderr.replace("\n", " ")
    assert result.stdout == ""


def test_one_way_to_say_whose_groups(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ([], ["--group", "x", "--user", "ada"]):
        result = run("explain-groups", good, *arguments)
        assert result.exit_code == 2
        assert "say whose groups: --group, --claims or --user, one of them" in result.stderr
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    result = run("explain-groups", good, "--user", "ada")
    assert result.exit_code == 2
    assert "--user needs JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN in the environment" in result.stderr
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t")
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:9/hub/api")
    result = run("explain-groups", good, "--user", "ada")
    assert result.exit_code == 1
    assert "the hub at http://127.0.0.1:9/hub/api can't be asked" in result.stderr


def test_profiles_are_listed_with_their_figures() -> None:
    result = run("profiles", "list", "--model", "h100-80gb")
    lines = result.output.splitlines()
    assert lines[0] == "h100-80gb: NVIDIA H100 80GB, 7 compute and 8 memory slices"
    assert lines[2].split() == ["mig-1g.10gb", "1/7", "1/8", "7", "0,1,2,3,4,5,6", "9.75", "nvidia.com/mig-1g.10gb"]
    assert "a100-40gb" not in result.output


def test_profiles_say_where_their_figures_are_from() -> None:
    assert "usable_gib: memory column of nvidia-smi" in run("profiles", "list", "--sources").output


def test_a_model_without_a_card_is_named_with_those_that_have_one() -> None:
    result = run("profiles", "list", "--model", "v100")
    assert result.exit_code == 2
    assert "no card for GPU model 'v100'; there are a100-40gb, a100-80gb, a30, " in result.stderr


def test_help_names_every_command() -> None:
    output = run("--help").output
    commands = {line.split()[0] for line in output.split("Commands:\n")[1].splitlines() if line.startswith("  ")}
    assert {"explain-groups", "job", "profiles", "service", "tenants"} <= commands


# Runs the command line in a Python that can't import what a base install lacks.
WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pydantic", "jupyterhub", "tornado", "sqlalchemy", "kubernetes_asyncio"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from aifactory_hub.cli import main
main(sys.argv[1:], prog_name="aifactory-hub")
"""


def run_base_install(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["profiles", "list"]], ids=" ".join)
def test_a_base_install_runs_what_needs_no_more(arguments: list[str]) -> None:
    result = run_base_install(*arguments)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["tenants", "check", "tenants.yaml"], "hub"), (["service"], "service")],
    ids=["tenants check", "service"],
)
def test_a_base_install_says_what_to_install_for_more(arguments: list[str], extra: str) -> None:
    result = run_base_install(*arguments)
    assert result.returncode == 1
    assert f"pip install 'aifactory-hub[{extra}]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_broken_module_of_ours_is_not_taken_for_a_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"aifactory_hub\.nowhere"):
        load("aifactory_hub.nowhere", "hub")


def test_rendering_for_the_host_needs_to_know_where_its_api_servers_are(tmp_path: Path) -> None:
    file = tmp_path / "tenants.yaml"
    file.write_text(GOOD, encoding="utf-8")
    for part in ("host", "policies"):
        result = run("tenants", "render", str(file), "--part", part)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "isolation.api_servers is left out" in result.stderr
        assert "tenants apply" in result.stderr
