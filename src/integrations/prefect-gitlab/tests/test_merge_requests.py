"""A note is written on a merge request, by the token's owner, once."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow

from prefect_gitlab import (
    GitLabAccessDenied,
    GitLabCredentials,
    GitLabNotFound,
    GitLabUncertain,
    acreate_merge_request_note,
    create_merge_request_note,
)
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock


def test_a_note_is_written(project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None) -> None:
    @flow
    def report() -> Any:
        return create_merge_request_note("shop/etl", 7, "All **well**, ü.", credentials)

    note = report()
    assert [(kept["body"], kept["noteable_iid"], kept["internal"]) for kept in project.notes] == [
        ("All **well**, ü.", 7, False)
    ]
    assert (note.id, note.author) == (project.notes[0]["id"], "shop-bot")


async def test_an_internal_note_is_written_in_an_async_flow(
    project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None
) -> None:
    @flow
    async def report() -> Any:
        return await acreate_merge_request_note(project.id, 7, "hm", credentials, internal=True)

    await report()
    assert project.notes[0]["internal"] is True


def test_a_missing_merge_request_is_named(project: ProjectAtGitLab, credentials: GitLabCredentials) -> None:
    with pytest.raises(GitLabNotFound, match="merge request !8 of shop/etl"):
        create_merge_request_note.fn("shop/etl", 8, "x", credentials)


def test_an_empty_note_is_refused(project: ProjectAtGitLab, credentials: GitLabCredentials) -> None:
    with pytest.raises(ValueError, match="body is empty"):
        create_merge_request_note.fn("shop/etl", 7, " ", credentials)


def test_a_token_without_the_scope_is_told(gitlab_api: GitLabApi, project: ProjectAtGitLab) -> None:
    gitlab_api.token("reads", "personal", "read_api")
    reader = GitLabCredentials(token="reads", url=gitlab_api.endpoint)
    with pytest.raises(GitLabAccessDenied, match=r"insufficient_scope.*needs the scope api"):
        create_merge_request_note.fn("shop/etl", 7, "x", reader)


def test_a_lost_answer_does_not_write_it_twice(
    gitlab_api: GitLabApi, project: ProjectAtGitLab, credentials: GitLabCredentials, clock: FakeClock
) -> None:
    gitlab_api.fail("create_note", when="lost")
    with pytest.raises(GitLabUncertain):
        create_merge_request_note.fn("shop/etl", 7, "x", credentials)
    assert len(project.notes) == 1
