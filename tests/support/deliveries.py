"""Deliveries as four Git hosts make them, cut to what matters, and their signatures."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from aifactory_hub.domain.git_hooks import Provider

SECRET = "whsec_" + "c2VjcmV0" * 5 + "c2U="
BEFORE, AFTER = "a" * 40, "b" * 40
_PUSH = {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER}
BODIES: dict[Provider, Any] = {
    Provider.GITHUB: {
        **_PUSH,
        "created": False,
        "deleted": False,
        "forced": True,
        "base_ref": None,
        "commits": [{"id": AFTER, "message": "work", "added": ["a.py"]}],
        "pusher": {"name": "ann", "email": "ann@example.org"},
        "sender": {"login": "ann"},
        "repository": {"full_name": "team/fraud"},
    },
    Provider.GITLAB: {
        **_PUSH,
        "object_kind": "push",
        "checkout_sha": AFTER,
        "user_username": "ann",
        "total_commits_count": 1,
        "project": {"path_with_namespace": "team/fraud"},
        "commits": [{"id": AFTER, "message": "work"}],
    },
    Provider.GITEA: {
        **_PUSH,
        "commits": [{"id": AFTER, "message": "work"}],
        "total_commits": 8,
        "head_commit": {"id": AFTER},
        "pusher": {"login": "ann"},
        "sender": {"login": "ann"},
    },
    Provider.BITBUCKET: {
        "actor": {"nickname": "ann"},
        "push": {
            "changes": [
                {
                    "old": {"type": "branch", "name": "main", "target": {"hash": BEFORE}},
                    "new": {"type": "branch", "name": "main", "target": {"hash": AFTER}},
                    "forced": False,
                    "truncated": False,
                }
            ]
        },
    },
}


def headers_of(provider: Provider, body: bytes, secret: str, delivery: str = "6b8b7f7e") -> dict[str, str]:
    """What the host sends with a body, names in lower case."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    match provider:
        case Provider.GITHUB:
            return {"x-github-event": "push", "x-github-delivery": delivery, "x-hub-signature-256": f"sha256={digest}"}
        case Provider.GITLAB:
            return {"x-gitlab-event": "Push Hook", "x-gitlab-event-uuid": delivery, "x-gitlab-token": secret}
        case Provider.GITEA:
            return {
                "x-gitea-event": "push",
                "x-gitea-delivery": delivery,
                "x-gitea-signature": digest,
                "x-gogs-signature": digest,
                "x-github-event": "push",
                "x-github-delivery": delivery,
                "x-hub-signature-256": f"sha256={digest}",
            }
        case Provider.BITBUCKET:
            return {"x-event-key": "repo:push", "x-request-uuid": delivery, "x-hub-signature": f"sha256={digest}"}
    return {}
