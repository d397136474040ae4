"""VS Code as we start it: settings that nobody has made yet, our extension, and no calls to the outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).parent / "vscode"
# Seconds.
_TIMEOUT = 60
# Which of our extension's files are installed, in code-server's folder.
_INSTALLED = "aifactory-extension"
SETTINGS: Mapping[str, Any] = {
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "chat.disableAIFeatures": True,
    "workbench.enableExperiments": False,
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.settings.enableNaturalLanguageSearch": False,
}
# VS Code takes its gallery's address from here. This one leads nowhere: extensions come with the image.
_NO_GALLERY = {"serviceUrl": "", "itemUrl": "", "resourceUrlTemplate": "", "controlUrl": "", "nlsBaseUrl": ""}


def prepare(
    code_server: Sequence[str], folder: Path, variables: Mapping[str, str], say: Callable[[str], None]
) -> dict[str, str]:
    """Write settings, install our extension; returns environment variables for VS Code. What fails is told."""
    data = data_folder(variables)
    try:
        add_settings(data / "User/settings.json")
        _install(code_server, data, folder, variables)
    except (OSError, subprocess.SubprocessError) as error:
        say(f"VS Code starts without our extension: {error}")
    return {"EXTENSIONS_GALLERY": json.dumps(_NO_GALLERY)} if "EXTENSIONS_GALLERY" not in variables else {}


def data_folder(variables: Mapping[str, str]) -> Path:
    """Where code-server keeps settings and extensions of this person."""
    home = Path(variables.get("HOME", "/"))
    return Path(variables.get("XDG_DATA_HOME") or home / ".local/share") / "code-server"


def add_settings(file: Path) -> None:
    """Add each of our settings that the person has not made. A file with comments is theirs and stays as it is."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    except ValueError:
        return
    if not isinstance(known, dict) or SETTINGS.keys() <= known.keys():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**SETTINGS, **known}, indent=2) + "\n", encoding="utf-8")


def digest() -> str:
    """Of our extension's files: a new one is installed over an old one, whatever their versions."""
    found = hashlib.sha256()
    for file in _files():
        found.update(f"{file.relative_to(EXTENSION)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()


def _files() -> list[Path]:
    return sorted(file for file in EXTENSION.rglob("*") if file.is_file())


def write_vsix(target: Path) -> None:
    """The extension as a file that VS Code installs."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files():
            archive.write(file, f"extension/{file.relative_to(EXTENSION)}")


def _install(code_server: Sequence[str], data: Path, folder: Path, variables: Mapping[str, str]) -> None:
    installed, wanted = data / _INSTALLED, digest()
    if installed.is_file() and installed.read_text() == wanted:
        return
    vsix = folder / "aifactory-hub.vsix"
    write_vsix(vsix)
    command = [*code_server, "--install-extension", str(vsix), "--force"]
    subprocess.run(command, env=dict(variables), check=True, capture_output=True, timeout=_TIMEOUT)
    installed.parent.mkdir(parents=True, exist_ok=True)
    installed.write_text(wanted)
