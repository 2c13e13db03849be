"""Names and labels as Google Cloud takes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

LONGEST_NAME = 63
"""Most characters of a label's key and value, and of a Cloud Run job's name
(https://cloud.google.com/resource-manager/docs/labels-overview#requirements)."""

FLOW_RUN_ID = "prefect-io-flow-run-id"
WORK_POOL_ID = "prefect-io-work-pool-id"
KEEP = "prefect-io-keep"
"""Value `true`: the job was made to stay after its end."""

_DIGEST_LENGTH = 32


def sanitized(labels: Mapping[str, str]) -> dict[str, str]:
    """Write labels as Google takes them: lower case letters, digits, `_` and `-`, at most 63 characters each."""
    return {legal: _value(value) for key, value in labels.items() if (legal := _key(key))}


def _key(key: str) -> str:
    return _cut(re.sub(r"^[^a-z]+", "", _legal(key)))


def _value(value: str) -> str:
    return _cut(_legal(value))


def _legal(text: str) -> str:
    """Legal text stays as it is; what is not legal becomes a hyphen, but none at the ends."""
    lowered = str(text).lower()
    made = re.sub(r"[^a-z0-9_-]+", "-", lowered)
    return made if made == lowered else made.strip("-")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME].rstrip("-_")


def slug(name: str, max_length: int) -> str:
    """Keep letters, digits and hyphens of a name, in lower case; other alphabets are written in Latin letters."""
    from slugify import slugify

    return slugify(name, max_length=max_length, regex_pattern=r"[^a-zA-Z0-9-]+")


def job_name(name: str | None, submission: str) -> str:
    """Name the job of one submission of a run: the same whoever names it, and whenever.

    Args:
        name: A name that people recognise, such as the run's.
        submission: What the job is for.

    Returns:
        At most 63 characters: what is legal of the name, and a digest.
    """
    digest = hashlib.sha256(submission.encode()).hexdigest()[:_DIGEST_LENGTH]
    room = LONGEST_NAME - _DIGEST_LENGTH - 1
    base = re.sub(r"^[^a-z]+", "", slug(name or "", room)) or "prefect"
    return f"{base}-{digest}"
