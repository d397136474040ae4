"""A job's own token: it can fetch the job's files and report on the job, nothing else."""

from __future__ import annotations

import hashlib
import hmac


def job_token(key: bytes, job_id: str) -> str:
    """The token of a job. Derived, so that a service that was killed between two steps makes the same one again."""
    return hmac.new(key, f"job-token:{job_id}".encode(), hashlib.sha256).hexdigest()


def token_hash(token: str) -> str:
    """What is stored. The token has 256 random bits, so a plain hash can't be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def matches(token: str, stored: str | None) -> bool:
    """Whether ``token`` is the one whose hash was stored, in constant time."""
    return stored is not None and hmac.compare_digest(token_hash(token), stored)
