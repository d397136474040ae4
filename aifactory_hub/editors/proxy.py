"""jupyter-server-proxy's standalone proxy, started as a module: its script is not on everybody's path."""

from __future__ import annotations


def main() -> None:
    from jupyter_server_proxy.standalone import main as run

    run()


if __name__ == "__main__":
    main()
