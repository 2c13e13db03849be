"""Names, labels and annotations as Kubernetes takes them.

What is legal stays as it is, case included. What is not is changed as little as can be. Rules:
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set and
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping

MAX_LABEL_LENGTH = 63
MAX_PREFIX_LENGTH = 253
MAX_JOB_NAME_LENGTH = 63
"""A job's name becomes a label of its pods, and the name of a pod plus five characters."""

DIGEST_LENGTH = 10
DEFAULT_JOB_NAME = "prefect-job"

_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def is_label_value(value: str) -> bool:
    """Say whether a text may be the value of a label."""
    return len(value) <= MAX_LABEL_LENGTH and _LABEL.fullmatch(value) is not None


def is_label_key(key: str) -> bool:
    """Say whether a text may be the key of a label or an annotation."""
    prefix, separator, name = key.rpartition("/")
    return bool(name) and is_label_value(name) and (not separator or is_subdomain(prefix))


def is_subdomain(name: str) -> bool:
    """Say whether a text may be the name of most objects: of a Secret, a priority class, a service account."""
    return len(name) <= MAX_PREFIX_LENGTH and _SUBDOMAIN.fullmatch(name) is not None


def is_dns_label(name: str) -> bool:
    """Say whether a text may be the name of a namespace, a container, a volume or a job."""
    return len(name) <= MAX_LABEL_LENGTH and _DNS_LABEL.fullmatch(name) is not None


def label_value(value: str) -> str:
    """Make a text the value of a label; a legal one is returned as it is."""
    if is_label_value(value):
        return value
    return _legal(value, r"[^-A-Za-z0-9_.]+", MAX_LABEL_LENGTH)


def label_key(key: str) -> str:
    """Make a text the key of a label or an annotation; a legal one is returned as it is.

    Raises:
        ValueError: If no character of its name is legal.
    """
    if is_label_key(key):
        return key
    prefix, _, name = key.rpartition("/")
    name = label_value(name)
    if not name:
        raise ValueError(f"{key!r} cannot be the key of a label: its name has no letter or digit in it")
    parts = [_legal(part.lower(), r"[^-a-z0-9]+", MAX_LABEL_LENGTH) for part in re.split(r"[./]", prefix)]
    prefix = ".".join(part for part in parts if part)[:MAX_PREFIX_LENGTH].rstrip("-.")
    return f"{prefix}/{name}" if prefix else name


def legal_labels(labels: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Make labels legal.

    Args:
        labels: Any labels.

    Returns:
        The labels, and annotations of the same keys with the values that had to be changed.

    Raises:
        ValueError: If a key cannot be made legal.
    """
    legal: dict[str, str] = {}
    changed: dict[str, str] = {}
    for key, value in labels.items():
        legal_key, text = label_key(str(key)), str(value)
        legal[legal_key] = label_value(text)
        if legal[legal_key] != text:
            changed[legal_key] = text
    return legal, changed


def legal_annotations(annotations: Mapping[str, object]) -> dict[str, str]:
    """Make the keys of annotations legal; their values may be any text."""
    return {label_key(str(key)): str(value) for key, value in annotations.items()}


def name_prefix(name: str) -> str:
    """Make a text what names of jobs begin with: a hyphen at its end, and room for a digest after it."""
    legal = _legal(name.lower(), r"[^-a-z0-9]+", MAX_JOB_NAME_LENGTH - DIGEST_LENGTH - 1)
    return f"{legal or DEFAULT_JOB_NAME}-"


def job_name(prefix: str, token: str) -> str:
    """Name the job of one submission: always the same for the same token.

    Args:
        prefix: What the name begins with.
        token: Names the submission.

    Returns:
        A name of 63 characters at most.
    """
    digest = base64.b32encode(hashlib.sha256(token.encode()).digest()).decode().lower()
    return name_prefix(prefix.rstrip("-")) + digest[:DIGEST_LENGTH]


def _legal(text: str, illegal: str, length: int) -> str:
    """Replace what is illegal by hyphens; the ends are letters or digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(illegal, "-", plain).strip("-_.")[:length].rstrip("-_.")
