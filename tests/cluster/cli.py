"""`python3 -m tests.cluster COMMAND`, from the repository's root."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import cluster, programs
from .console import ClusterError, elapsed, say
from .namespaces import Namespaces
from .settings import Layout, layout

COMMANDS = {
    "up": "build and start the cluster; on a running one, renew the notebook image if the sources changed",
    "down": "end it, remove its state, and check that nothing is left behind",
    "status": "say what runs; exits with 0 when all is ready",
    "build": "only build the programs and images",
    "image": "rebuild the notebook image and bring it into the running cluster",
    "exec": "run a command in the cluster's network, with KUBECONFIG set to the host cluster's administrator",
    "kubectl": "kubectl of the host cluster; --tenant NAME before it for a tenant's vCluster",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster", description=__doc__)
    parser.add_argument("--tenant", help="for exec and kubectl: use the administrator of this tenant's vCluster")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, add_help=name not in ("exec", "kubectl"))
        if name in ("exec", "kubectl"):
            command.add_argument("words", nargs=argparse.REMAINDER)
    return parser


def _enter(where: Layout, words: list[str], tenant: str | None, kubectl: bool) -> None:
    words = words[1:] if words[:1] == ["--"] else words
    if kubectl:
        words = [programs.program(where, "kubectl"), *words]
    if not words:
        raise ClusterError("which command? python3 -m tests.cluster exec -- COMMAND ...")
    Namespaces(where).replace(words, where.kubeconfig(f"{tenant}-admin" if tenant else "admin"))


def _image(where: Layout) -> None:
    with cluster.locked(where):
        reason = cluster.why_not_running(where)
        if reason:
            raise ClusterError(f"no running cluster to bring the image into: {reason}")
        changed = cluster.update_notebook(where)
    say(f"notebook image: {'renewed' if changed else 'nothing changed'} ({elapsed():.1f} s)")


def run(arguments: argparse.Namespace, where: Layout) -> int:
    command = arguments.command
    if command in ("exec", "kubectl"):
        _enter(where, arguments.words, arguments.tenant, command == "kubectl")
    elif command == "status":
        return cluster.status(where)
    elif command == "build":
        cluster.require_machine()
        with cluster.locked(where):
            cluster.build(where)
        say(f"built ({elapsed():.0f} s)")
    elif command == "image":
        _image(where)
    else:
        {"up": cluster.up, "down": cluster.down}[command](where)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    try:
        return run(_parser().parse_args(argv), layout())
    except ClusterError as error:
        print(f"test cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntest cluster: interrupted; the next run cleans up and continues", file=sys.stderr)
        return 130
