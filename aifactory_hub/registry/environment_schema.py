"""The sections of ``tenants.yaml`` about environments: as in ``schema``, which has the others."""

from __future__ import annotations

from typing import Literal

from .scalars import (
    Day,
    DriverVersion,
    Size,
    Text,
    VersionName,
)
from .section import Section, key


class VersionSection(Section):
    image: Text = key("Container image of this version, by its digest.", "images.example.org/torch@sha256:...")
    state: Literal["current", "deprecated", "blocked"] = key(
        "Whether it may be started: current, deprecated (until its day) or blocked.", "deprecated", default="current"
    )
    until: Day | None = key("Last day (UTC) on which a deprecated version may be started.", "2027-01-31", default=None)
    successor: VersionName | None = key("The version that follows it.", '"2026.11"', default=None)
    why: Text | None = key("Why it is deprecated or blocked, for people.", "CVE-2026-1234 in torch", default=None)
    lock: Text | None = key(
        "File with its packages, each as `name==version`, seen from this file.", "locks/torch-2026.11.txt", default=None
    )


class NeedsSection(Section):
    memory: Size | None = key("Memory that a server needs at least.", "8Gi", default=None)
    gpu: Literal["required", "optional", "none"] = key(
        "Whether its programs use a GPU: required, optional or none.", "required", default="optional"
    )
    driver: DriverVersion | None = key("The oldest driver of NVIDIA that it runs with.", '">=550"', default=None)
    device_memory: Size | None = key("Memory of one GPU or slice that it needs at least.", "9Gi", default=None)


class HooksSection(Section):
    start: list[Text] = key(
        "Commands that run before each server, as the person, for 60 s at most; one that fails is told, no more.",
        "[git config --global pull.rebase true]",
        default=[],
    )


class EnvironmentSection(Section):
    display_name: Text | None = key("Name on the menu; the environment's name when left out.", "PyTorch", default=None)
    description: Text | None = key("Explanation on the menu.", "PyTorch with CUDA", default=None)
    kind: Literal["lab", "code", "marimo", "command"] = key(
        "What answers in the browser: lab, code, marimo or command.", "code", default="lab"
    )
    versions: dict[VersionName, VersionSection] = key(
        "Its versions, the one that is offered first before the others.",
        '{"2026.11": {image: "images.example.org/torch@sha256:..."}}',
        min_length=1,
    )
    needs: NeedsSection = key("What a server needs.", "{memory: 8Gi, gpu: required}", default_factory=NeedsSection)
    teams: list[Text] | None = key("Teams that have it; all when left out.", "[nlp]", default=None)
    hooks: HooksSection = key("What runs around a server.", "{start: [...]}", default_factory=HooksSection)
    command: list[Text] = key(
        "What a server of kind command runs; `{port}` and `{base_url}` stand for where it has to answer.",
        '[streamlit, run, app.py, --server.port, "{port}"]',
        default=[],
    )
    idle_signal: Literal["own", "none"] = key(
        "Whether its servers tell if they are used: own for the kind's own signs, none for none.", "none", default="own"
    )
