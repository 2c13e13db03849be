"""Issues: open one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from prefect import task

from prefect_integration_kit.dispatch import sync_task
from prefect_integration_kit.logs import run_logger

from ._api import Api, Json, field, project_path
from .credentials import GitLabCredentials

__all__ = ["Issue", "acreate_issue", "create_issue"]


@dataclass(frozen=True)
class Issue:
    """An issue as GitLab has kept it.

    Attributes:
        id: Its number in all of the instance.
        iid: Its number in the project, as in `#7`.
        title: Its title.
        web_url: Its page.
    """

    id: int
    iid: int
    title: str
    web_url: str


def _request(
    project: str | int,
    title: str,
    description: str | None,
    labels: Iterable[str] | None,
    assignee_ids: Iterable[int] | None,
    milestone_id: int | None,
    due_date: date | None,
    *,
    confidential: bool,
) -> tuple[str, str, Json]:
    """Write the request: path, subject and body (https://docs.gitlab.com/api/issues/#new-issue)."""
    subject = f"An issue of {project}"
    if not title.strip():
        raise ValueError(f"{subject}: title is empty. GitLab takes no issue without a title.")
    if isinstance(labels, str):
        raise TypeError(f"{subject}: labels is the text {labels!r}. Give a list of names.")
    names = list(labels or ())
    if bad := [name for name in names if "," in name]:
        raise ValueError(f"{subject}: the label {bad[0]!r} has a comma in it, which GitLab takes for two labels.")
    fields: Json = {
        "title": title,
        "description": description,
        "labels": ",".join(names) or None,
        "assignee_ids": list(assignee_ids) if assignee_ids is not None else None,
        "milestone_id": milestone_id,
        "due_date": due_date.isoformat() if due_date is not None else None,
        "confidential": confidential or None,
    }
    return f"{project_path(project)}/issues", subject, {name: v for name, v in fields.items() if v is not None}


def _issue(answer: Any, subject: str) -> Issue:
    issue = Issue(
        field(answer, "id", int, subject),
        field(answer, "iid", int, subject),
        field(answer, "title", str, subject),
        field(answer, "web_url", str, subject),
    )
    run_logger(__name__).info("Opened issue #%d: %s", issue.iid, issue.web_url)
    return issue


@task
async def acreate_issue(
    project: str | int,
    title: str,
    gitlab_credentials: GitLabCredentials,
    description: str | None = None,
    labels: Iterable[str] | None = None,
    assignee_ids: Iterable[int] | None = None,
    milestone_id: int | None = None,
    due_date: date | None = None,
    confidential: bool = False,
) -> Issue:
    """Async form of `create_issue`."""
    path, subject, body = _request(
        project, title, description, labels, assignee_ids, milestone_id, due_date, confidential=confidential
    )
    with Api(gitlab_credentials) as api:
        return _issue(await api.aask("post", path, subject, body), subject)


@sync_task(acreate_issue)
def create_issue(
    project: str | int,
    title: str,
    gitlab_credentials: GitLabCredentials,
    description: str | None = None,
    labels: Iterable[str] | None = None,
    assignee_ids: Iterable[int] | None = None,
    milestone_id: int | None = None,
    due_date: date | None = None,
    confidential: bool = False,
) -> Issue:
    """Open an issue. A second call opens a second one.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        title: The title.
        gitlab_credentials: Who opens it: a token with the scope api.
        description: Text, in GitLab's Markdown.
        labels: Names of labels; those that the project lacks are made.
        assignee_ids: Numbers of the users who are to look after it.
        milestone_id: Number of a milestone, in all of the instance.
        due_date: When it is due.
        confidential: Whether only members of the project see it.

    Returns:
        The issue.

    Raises:
        GitLabError: Of the class that tells what is wrong. After `GitLabUncertain` it may have been opened.
    """
    path, subject, body = _request(
        project, title, description, labels, assignee_ids, milestone_id, due_date, confidential=confidential
    )
    with Api(gitlab_credentials) as api:
        return _issue(api.ask("post", path, subject, body), subject)
