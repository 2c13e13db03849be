"""Merge requests: write a note on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect import task

from prefect_integration_kit.dispatch import sync_task
from prefect_integration_kit.logs import run_logger

from ._api import Api, Json, field, project_path
from .credentials import GitLabCredentials

__all__ = ["Note", "acreate_merge_request_note", "create_merge_request_note"]


@dataclass(frozen=True)
class Note:
    """A note as GitLab has kept it.

    Attributes:
        id: Its number.
        body: Its text.
        author: User name of who wrote it: that of the token's owner.
    """

    id: int
    body: str
    author: str


def _request(project: str | int, merge_request_iid: int, body: str, *, internal: bool) -> tuple[str, str, Json]:
    """Write the request: path, subject and body (https://docs.gitlab.com/api/notes/#create-a-merge-request-note)."""
    subject = f"A note on merge request !{merge_request_iid} of {project}"
    if not body.strip():
        raise ValueError(f"{subject}: body is empty. GitLab takes no note without a text.")
    sent: Json = {"body": body, **({"internal": True} if internal else {})}
    return f"{project_path(project)}/merge_requests/{merge_request_iid}/notes", subject, sent


def _note(answer: Any, subject: str) -> Note:
    note_id = field(answer, "id", int, subject)
    author = field(field(answer, "author", dict, subject), "username", str, subject)
    run_logger(__name__).info("Wrote %s, number %d", subject[0].lower() + subject[1:], note_id)
    return Note(note_id, field(answer, "body", str, subject), author)


@task
async def acreate_merge_request_note(
    project: str | int,
    merge_request_iid: int,
    body: str,
    gitlab_credentials: GitLabCredentials,
    internal: bool = False,
) -> Note:
    """Async form of `create_merge_request_note`."""
    path, subject, sent = _request(project, merge_request_iid, body, internal=internal)
    with Api(gitlab_credentials) as api:
        return _note(await api.aask("post", path, subject, sent), subject)


@sync_task(acreate_merge_request_note)
def create_merge_request_note(
    project: str | int,
    merge_request_iid: int,
    body: str,
    gitlab_credentials: GitLabCredentials,
    internal: bool = False,
) -> Note:
    """Write a note on a merge request. A second call writes a second one.

    Args:
        project: Path of the project, such as `group/name`, or its number.
        merge_request_iid: Number of the merge request in its project: 7 of `!7`.
        body: Text, in GitLab's Markdown.
        gitlab_credentials: Who writes: a token with the scope api.
        internal: Whether only members of the project see it.

    Returns:
        The note.

    Raises:
        GitLabError: Of the class that tells what is wrong. After `GitLabUncertain` it may have been written.
    """
    path, subject, sent = _request(project, merge_request_iid, body, internal=internal)
    with Api(gitlab_credentials) as api:
        return _note(api.ask("post", path, subject, sent), subject)
