"""What the administrative API takes: fields of bodies and their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .calls import CloudError, Json

_Types = tuple[type, ...]

TEXT: _Types = (str,)
NUMBER: _Types = (int,)
FLAG: _Types = (bool,)
TEXTS: _Types = (list,)
OBJECT: _Types = (dict,)
NOTHING = type(None)

TRIGGER: Mapping[str, _Types] = {
    "cause": TEXT,
    "git_sha": TEXT,
    "git_branch": TEXT,
    "azure_pull_request_id": NUMBER,
    "github_pull_request_id": NUMBER,
    "gitlab_merge_request_id": NUMBER,
    "schema_override": TEXT,
    "dbt_version_override": TEXT,
    "threads_override": NUMBER,
    "target_name_override": TEXT,
    "generate_docs_override": FLAG,
    "timeout_seconds_override": NUMBER,
    "steps_override": TEXTS,
}
"""https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Trigger%20Job%20Run."""

JOB: Mapping[str, _Types] = {
    "id": (*NUMBER, NOTHING),
    "account_id": NUMBER,
    "project_id": NUMBER,
    "environment_id": NUMBER,
    "name": TEXT,
    "description": TEXT,
    "dbt_version": (*TEXT, NOTHING),
    "triggers": OBJECT,
    "execute_steps": TEXTS,
    "settings": OBJECT,
    "state": NUMBER,
    "generate_docs": FLAG,
    "run_generate_sources": FLAG,
    "schedule": OBJECT,
    "execution": OBJECT,
    "deferring_job_definition_id": (*NUMBER, NOTHING),
    "deferring_environment_id": (*NUMBER, NOTHING),
    "job_type": TEXT,
    "run_compare_changes": FLAG,
}
"""https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Create%20Job."""

_WANTED_OF_JOB = (
    "account_id",
    "project_id",
    "environment_id",
    "name",
    "execute_steps",
    "triggers",
    "settings",
    "state",
)


def check_trigger(body: Json) -> None:
    """Refuse a body that triggers no job."""
    _check(body, TRIGGER, ("cause",))


def check_job(body: Json) -> None:
    """Refuse a body that makes no job."""
    _check(body, JOB, _WANTED_OF_JOB)


def _check(body: Json, known: Mapping[str, _Types], wanted: tuple[str, ...]) -> None:
    wrong: dict[str, str] = {name: "This field is required." for name in wanted if name not in body}
    for name, value in body.items():
        if name not in known:
            wrong[name] = "Unknown field."
        elif not _fits(value, known[name]):
            wrong[name] = f"Not a valid value: {value!r}."
    if wrong:
        raise CloudError(400, developer_message=f"Invalid fields: {', '.join(wrong)}", data=wrong)


def _fits(value: Any, types: _Types) -> bool:
    if isinstance(value, bool) and bool not in types:
        return False
    if not isinstance(value, types):
        return False
    return not isinstance(value, list) or all(isinstance(each, str) for each in cast("list[Any]", value))
