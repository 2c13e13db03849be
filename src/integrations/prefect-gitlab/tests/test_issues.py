"""An issue is opened with what was given, once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from prefect import flow

from prefect_gitlab import GitLabCredentials, GitLabNotFound, acreate_issue, create_issue
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab
from prefect_integration_tests.clock import FakeClock


def test_an_issue_is_opened(project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None) -> None:
    @flow
    def report() -> Any:
        return create_issue(
            "shop/etl",
            "Parcels are late",
            credentials,
            description="Since *today*.",
            labels=["bug", "to do"],
            assignee_ids=[3, 4],
            milestone_id=5,
            due_date=date(2026, 5, 4),
            confidential=True,
        )

    issue = report()
    kept = project.issues[0]
    assert {name: kept[name] for name in ("title", "description", "labels", "assignee_ids", "due_date")} == {
        "title": "Parcels are late",
        "description": "Since *today*.",
        "labels": ["bug", "to do"],
        "assignee_ids": [3, 4],
        "due_date": "2026-05-04",
    }
    assert (kept["milestone_id"], kept["confidential"]) == (5, True)
    assert (issue.id, issue.iid, issue.title) == (kept["id"], 1, "Parcels are late")
    assert issue.web_url.endswith("/-/issues/1")


async def test_an_async_flow_opens_one(
    project: ProjectAtGitLab, credentials: GitLabCredentials, prefect_harness: None
) -> None:
    @flow
    async def report() -> list[int]:
        first = await create_issue("shop/etl", "one", credentials)
        return [first.iid, (await acreate_issue("shop/etl", "two", credentials)).iid]

    assert await report() == [1, 2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"title": ""}, "title is empty"),
        ({"title": "x", "labels": "bug"}, "labels is the text 'bug'"),
        ({"title": "x", "labels": ["a,b"]}, "comma"),
    ],
    ids=["title", "text", "comma"],
)
def test_what_cannot_be_meant_is_refused_by_name(
    options: dict[str, Any], said: str, project: ProjectAtGitLab, credentials: GitLabCredentials
) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        create_issue.fn("shop/etl", gitlab_credentials=credentials, **options)
    assert not project.issues


def test_a_project_whose_path_has_odd_characters_is_found(
    gitlab_api: GitLabApi, credentials: GitLabCredentials, clock: FakeClock
) -> None:
    project = gitlab_api.project("sub.group/a+b_ü/c d")
    gitlab_api.fail("create_issue", 429)
    create_issue.fn(project.path, "x", credentials)
    assert len(project.issues) == 1
    with pytest.raises(GitLabNotFound, match="An issue of sub/gone"):
        create_issue.fn("sub/gone", "x", credentials)
