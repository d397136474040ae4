"""The first process of the cluster's namespaces: it owns them, reaps orphans and waits.

Killing it kills every process of the cluster; its mounts, interfaces and packet filter rules go with
it. Started as a plain script (it must not import the package) after `unshare`, with the arguments
RUN_FOLDER BRIDGE ADDRESS/16 SERVICE_NETWORK."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def mount(*args: str) -> None:
    subprocess.run(["mount", *args], check=True)


def prepare(run: Path, bridge: str, address: str, services: str) -> None:
    for folder in ("/var/lib/kubelet", "/var/lib/cni"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        private = run / Path(folder).name
        private.mkdir(parents=True, exist_ok=True)
        mount("--bind", str(private), folder)
    mount("--bind", str(run / "log"), "/var/log")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    ip = ["ip", "link"]
    subprocess.run([*ip, "set", "lo", "up"], check=True)
    subprocess.run([*ip, "add", bridge, "type", "bridge"], check=True)
    subprocess.run(["ip", "addr", "add", address, "dev", bridge], check=True)
    subprocess.run([*ip, "set", bridge, "up"], check=True)
    # Packets to Services need some route before kube-proxy's rules turn them to a pod.
    subprocess.run(["ip", "route", "add", services, "dev", bridge], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def main() -> None:
    run = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    prepare(run, *sys.argv[2:])
    (run / "holder.ready").touch()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        signal.sigwait([signal.SIGCHLD])
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    main()
