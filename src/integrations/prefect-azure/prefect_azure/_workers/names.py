"""Names and tags of what workers make at Azure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timezone
from uuid import UUID

FLOW_RUN_ID = "prefect-io-flow-run-id"
WORK_POOL_ID = "prefect-io-work-pool-id"
KEEP = "prefect-io-keep"
"""Value `true`: what has it was made to stay after its end."""
CONTAINER = "prefect-io-container"
"""Name of the container that runs the flow, where it has not that of its group."""
MADE_AT = "prefect-io-made-at"
"""When it was made, in UTC as ISO 8601 has it: Azure does not say it of everything."""
BOUND = (FLOW_RUN_ID, WORK_POOL_ID, KEEP, CONTAINER, MADE_AT)
"""Tags that workers read, so nothing else may stand in their place."""

_DIGEST_LENGTH = 20
_LONGEST_TAG_NAME = 512
_LONGEST_TAG_VALUE = 256
_MOST_TAGS = 50


def resource_name(name: str | None, submission: str, *, longest: int) -> str:
    """Name what is made for one submission of a run: the same whoever names it, and whenever.

    Args:
        name: A name that people recognise, such as the run's.
        submission: What it is made for.
        longest: Most characters of the name.

    Returns:
        Lower case letters, digits and hyphens, none of them twice, a letter first: what is legal of the name, and a
        digest.
    """
    digest = hashlib.sha256(submission.encode()).hexdigest()[:_DIGEST_LENGTH]
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode()
    base = re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "-", plain.lower()))
    base = base[: longest - _DIGEST_LENGTH - 1].strip("-")
    return f"{base or 'prefect'}-{digest}"


def tags_of(labels: Mapping[str, str]) -> dict[str, str]:
    r"""Write labels as tags: without `<>%&\?/` in their names, 512 and 256 characters, at most 50 of them.

    See https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations.

    Args:
        labels: Labels of a run. Those that say what it is for come first.
    """
    written = {_tag_name(name): str(value)[:_LONGEST_TAG_VALUE] for name, value in labels.items()}
    bound = {name: written[name] for name in BOUND if name in written}
    others = {name: value for name, value in written.items() if name and name not in bound}
    return dict([*bound.items(), *others.items()][:_MOST_TAGS])


def _tag_name(name: str) -> str:
    # A dot is legal in a tag, but not in all that reads tags; `prefect.io/flow-run-id` is what Prefect calls a label.
    return re.sub(r"[<>%&\\?/.\x00-\x1f]+", "-", name).strip("- ")[:_LONGEST_TAG_NAME]


def flow_run_of(tags: Mapping[str, str] | None) -> UUID | None:
    """The run that something was made for, as its tags say; `None` where they do not."""
    try:
        return UUID((tags or {}).get(FLOW_RUN_ID, ""))
    except ValueError:
        return None


def now() -> str:
    """The value of `MADE_AT`."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def made_at(tags: Mapping[str, str] | None) -> datetime | None:
    """When something was made, as its tags say; `None` where they do not."""
    try:
        moment = datetime.fromisoformat((tags or {}).get(MADE_AT, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
