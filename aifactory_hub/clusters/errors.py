"""What a call to an API server can raise."""

from __future__ import annotations


class ApiUnreachable(Exception):
    """No answer that decides anything: nothing may be concluded from it. ``reason`` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ApiNonsense(ApiUnreachable):
    """The server answered with what no Kubernetes API answers: too much, compressed, no JSON, wrong types.

    The state of the object is unknown, exactly as without an answer.
    """


class ApiError(Exception):
    """The API server answered "no": ``status`` is HTTP's, ``reason`` the API's slug, ``message`` its sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
