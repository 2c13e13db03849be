"""What a query says about the run that it belongs to, and where people find it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

TAG = "QUERY_TAG"
_MOST_CHARACTERS = 2000  # https://docs.snowflake.com/en/sql-reference/parameters#query-tag


def run_tag() -> str | None:
    """Make the tag of a query that runs now: JSON with the IDs of its runs; `None` outside of runs."""
    from prefect.context import FlowRunContext, TaskRunContext

    tag: dict[str, str] = {}
    task, flow = TaskRunContext.get(), FlowRunContext.get()
    flow_run_id = task.task_run.flow_run_id if task is not None else None
    if flow_run_id is None and flow is not None and flow.flow_run is not None:
        flow_run_id = flow.flow_run.id
    if flow_run_id is not None:
        tag["prefect_flow_run_id"] = str(flow_run_id)
    if flow is not None and flow.flow is not None:
        tag["prefect_flow"] = flow.flow.name
    if task is not None:
        tag["prefect_task_run_id"] = str(task.task_run.id)
        tag["prefect_task"] = task.task.name
    if not tag:
        return None
    text = json.dumps(tag)
    if len(text) > _MOST_CHARACTERS:  # names have no limit
        text = json.dumps({name: value for name, value in tag.items() if name.endswith("_id")})
    return text


def tagged(options: Mapping[str, Any], tag: str | None, session_parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add a tag to the options of a cursor's `execute`, unless the user has one.

    Args:
        options: The options.
        tag: The tag.
        session_parameters: Parameters of the session.
    """
    made = dict(options)
    given: Mapping[str, Any] = made.get("_statement_params") or {}
    names = {name.upper() for name in (*given, *(session_parameters or {}))}
    if tag is not None and TAG not in names:
        made["_statement_params"] = {**given, TAG: tag}
    return made


def query_url(account: str, query_id: str) -> str:
    """Make the address of a query in Snowsight.

    Args:
        account: Identifier of the account: `organization-account`, or a locator with its region.
        query_id: ID of the query.
    """
    locator, _, region = account.partition(".")
    if region:
        place = f"{quote(region)}/{quote(locator)}"
    else:
        organization, _, name = account.partition("-")
        place = f"{quote(organization)}/{quote(name)}" if name else quote(account)
    return f"https://app.snowflake.com/{place}/#/compute/history/queries/{quote(query_id)}/detail"
