"""What ``aifactory-hub doctor --probe`` runs in a tenant's pod: whom it reaches. The standard library and no more.

Called with one argument, JSON: ``urls`` that should answer, ``shut`` addresses that must not, ``port`` and ``seconds``
of the answer. The answer is given to whoever asks first at that port, and is the container's termination message.
"""

from __future__ import annotations

import http.server
import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# Seconds for one attempt: a policy that drops packets is silent.
TIMEOUT = 4


def trouble(url: str) -> str:
    """Empty when something answers there that is not broken, else why not."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT):  # noqa: S310 - of tenants.yaml, checked there
            return ""
    except urllib.error.HTTPError as error:
        # Not signed in is an answer.
        return f"HTTP {error.code}" if error.code >= 500 or error.code == 404 else ""
    except urllib.error.URLError as error:
        return str(error.reason)
    except OSError as error:
        return str(error) or type(error).__name__


def opens(host: str, port: int) -> bool:
    """Whether a connection opens."""
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError:
        return False
    return True


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What is found: ``urls`` with their trouble, ``open``: those of ``shut`` that opened."""
    return {
        "urls": {url: trouble(url) for url in asked["urls"]},
        "open": [name for name, (host, port) in asked["shut"].items() if opens(host, port)],
    }


def answer_once(text: str, port: int, seconds: float) -> None:
    """Give the text to the first who asks within so many seconds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

    # The first address that a pod has, of either family.
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    host = "::" if family == socket.AF_INET6 else ""

    class Server(http.server.HTTPServer):
        address_family = family

    with Server((host, port), Handler) as server:
        server.timeout = seconds
        server.handle_request()


def main() -> None:
    asked = json.loads(sys.argv[1])
    text = json.dumps(look(asked))
    Path("/dev/termination-log").write_text(text, encoding="utf-8")
    answer_once(text, asked["port"], asked["seconds"])


if __name__ == "__main__":
    main()
