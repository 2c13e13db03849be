"""What tasks return, and what they refuse before GitHub is asked."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from prefect import flow

from prefect_github import GitHubCredentials, GitHubError, GitHubNotFound
from prefect_github.mutations import (
    add_pull_request_review,
    add_reaction,
    add_star_starrable,
    close_issue,
    close_pull_request,
    create_issue,
    create_pull_request,
    remove_reaction,
)
from prefect_github.organization import query_organization_audit_log, query_organization_pinned_items
from prefect_github.repository import (
    query_repository,
    query_repository_issue_or_pull_request,
    query_repository_issues,
    query_repository_latest_release,
    query_repository_object,
    query_repository_project_next,
)
from prefect_github.repository_owner import query_repository_owner, query_repository_owner_repository
from prefect_github.schemas import graphql_schema
from prefect_github.user import query_user
from prefect_github.viewer import query_viewer, query_viewer_contributions_collection, query_viewer_repository
from prefect_integration_tests.backends.github_api import FieldError, GitHubApi


async def test_the_answer_is_what_stands_at_the_field(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    github_api.data = {"repository": {"issues": {"totalCount": 2, "nodes": [{"title": "Late"}, {"title": "Lost"}]}}}
    issues = await query_repository_issues.fn(
        "shop", "etl", [], ["OPEN"], credentials, first=2, return_fields=["total_count", "nodes { title }"]
    )
    assert issues == {"totalCount": 2, "nodes": [{"title": "Late"}, {"title": "Lost"}]}


def test_a_sync_flow_gets_answers_without_await(
    github_api: GitHubApi, credentials: GitHubCredentials, prefect_harness: None
) -> None:
    github_api.data = {
        "repository": {"id": "R_1"},
        "addStar": lambda input: {"starrable": {"__typename": "Repository", "id": input["starrableId"]}},  # noqa: A006
    }

    @flow
    def add_a_star() -> Any:
        repository_id = query_repository("PrefectHQ", "Prefect", github_credentials=credentials, return_fields="id")[
            "id"
        ]
        return add_star_starrable(repository_id, credentials)

    assert add_a_star()["id"] == "R_1"


async def test_an_async_flow_awaits_them(
    github_api: GitHubApi, credentials: GitHubCredentials, prefect_harness: None
) -> None:
    github_api.data = {"viewer": {"login": "ada"}}

    @flow
    async def who() -> Any:
        return await query_viewer(credentials, return_fields=["login"])

    assert await who() == {"login": "ada"}


@pytest.mark.parametrize(
    "fields",
    [
        ["createdAt", "owner { login }"],
        ["created_at", "owner { login }"],
        ["created_at, owner { login }"],
        "created_at owner{login}",
        ("created_at", "owner { login login }", "created_at"),
    ],
)
async def test_fields_are_named_as_python_or_github_does(
    fields: Any, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    github_api.data = {"repository": {"createdAt": "2026-01-01T00:00:00Z", "owner": {"login": "shop"}}}
    answer = await query_repository.fn("shop", "etl", credentials, return_fields=fields)
    assert answer == {"createdAt": "2026-01-01T00:00:00Z", "owner": {"login": "shop"}}


async def test_a_field_without_braces_holds_what_names_it(
    github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    answer = await query_repository.fn(
        "shop", "etl", credentials, return_fields=["owner", "labels", "default_branch_ref"]
    )
    assert {"__typename", "id", "login", "url"} <= answer["owner"].keys()
    assert answer["labels"].keys() == {"totalCount", "nodes", "pageInfo"}
    assert {"id", "name"} <= answer["labels"]["nodes"][0].keys()
    assert "labels(first: 100)" in github_api.operations[0].document


async def test_fields_take_arguments_and_types_of_unions(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    asked: list[Any] = []

    def labels(**arguments: Any) -> Any:
        asked.append(arguments)
        return {"totalCount": 1}

    github_api.data = {
        "repository": {"labels": labels, "object": {"__typename": "Blob", "text": "select 1"}},
    }
    answer = await query_repository.fn(
        "shop", "etl", credentials, return_fields=['labels(first: 3, query: "a) b") { total_count }']
    )
    assert answer == {"labels": {"totalCount": 1}}
    assert {"first": 3, "query": "a) b"}.items() <= asked[0].items()
    text = await query_repository_object.fn(
        "shop", "etl", credentials, expression="HEAD:a.sql", return_fields=["... on Blob { text }"]
    )
    assert text == {"text": "select 1"}


async def test_types_of_unions_are_told_apart_by_default(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    answer = await query_repository_issue_or_pull_request.fn("shop", "etl", 7, credentials)
    assert answer["__typename"] == "Issue"
    assert {"id", "number", "title"} <= answer.keys()
    log = await query_organization_audit_log.fn("shop", credentials)
    assert log["nodes"][0].keys() >= {"__typename", "id"}
    pinned = await query_organization_pinned_items.fn("shop", ["REPOSITORY"], credentials)
    assert pinned["nodes"][0].keys() >= {"__typename", "id"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["titel"], r"Repository has no field 'titel'"),
        (["name_with_ownr"], r"no field 'name_with_ownr'\. Did you mean nameWithOwner"),
        (["xyzzy"], r"no field 'xyzzy'\. .*execute_graphql"),
        (["login"], r"RepositoryOwner has it: write 'owner \{ login \}'"),
        (["owner { logn }"], r"RepositoryOwner has no field 'logn'\. .*login"),
        (["name { x }"], r"Repository.name is a String, which has no fields"),
        (["owner {"], "a brace is not closed"),
        (["owner {}"], "the braces behind 'owner' are empty"),
        (["}"], r"'}' stands where a name should"),
        (["alias: name"], r"':' stands where a name should.*execute_graphql"),
        (["ref"], r"ref needs arguments\. Write 'ref\(qualifiedName: …\)'"),
        (["... on Nothing { id }"], "no type 'Nothing'"),
        ([], "return_fields is empty. Name a field of Repository, such as 'id'"),
        ("", "return_fields is empty"),
        ([1], "1 is a int"),
    ],
)
async def test_fields_that_do_not_exist_are_refused_by_name(
    fields: Any, said: str, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        await query_repository.fn("shop", "etl", credentials, return_fields=fields)
    assert not github_api.operations


async def test_a_field_of_a_union_is_asked_for_by_type(credentials: GitHubCredentials) -> None:
    with pytest.raises(ValueError, match=r"write '\.\.\. on Issue \{ … \}'"):
        await query_repository_issue_or_pull_request.fn("shop", "etl", 7, credentials, return_fields=["title"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"owner": None}, "^owner is None"),
        ({"owner": 1}, "^owner is 1, a int. GitHub wants String"),
        ({"states": ["ajar"]}, r"^states\[0\] is 'ajar', which IssueState does not have. It has CLOSED, OPEN"),
        ({"states": 1}, "^states is 1. Give a list"),
        ({"first": "3"}, "^first is '3', a str. GitHub wants Int"),
        ({"first": True}, "^first is True"),
        ({"follow_renames": "yes"}, "^follow_renames is 'yes'"),
        ({"order_by": {"feild": "CREATED_AT"}}, "^order_by: IssueOrder has no field 'feild'.* field"),
        ({"order_by": {"field": "CREATED_AT"}}, "^order_by.direction is missing"),
        ({"order_by": {"field": "AGE", "direction": "ASC"}}, "^order_by.field is 'AGE'"),
        ({"order_by": "ASC"}, "^order_by is 'ASC'. Give a mapping with fields of IssueOrder"),
        ({"filter_by": {"since": object()}}, "^filter_by.since is <object"),
    ],
)
async def test_values_that_cannot_be_meant_are_refused_by_name(
    given: dict[str, Any], said: str, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    whole: dict[str, Any] = {"owner": "shop", "name": "etl", "labels": None, "states": None, **given}
    with pytest.raises((ValueError, TypeError), match=said):
        await query_repository_issues.fn(**whole, github_credentials=credentials)
    assert not github_api.operations


@pytest.mark.parametrize(
    ("subject_id", "content", "said"),
    [(None, "HEART", "^subject_id is None"), ("x", "LOVE", "^content is 'LOVE', which ReactionContent")],
)
async def test_a_change_that_cannot_be_meant_is_refused_by_name(
    subject_id: Any, content: Any, said: str, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    with pytest.raises(ValueError, match=said):
        await add_reaction.fn(subject_id, content, credentials)
    assert not github_api.operations


async def test_values_come_as_python_sgqlc_or_text(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    heard: list[dict[str, Any]] = []

    def issues(**arguments: Any) -> Any:
        heard.append(arguments)
        return {"totalCount": 0}

    github_api.data = {"repository": {"issues": issues}}
    since = datetime(2026, 5, 4, tzinfo=timezone.utc)
    for states, order_by, filter_by in [
        ("open", {"field": "CREATED_AT", "direction": "DESC"}, {"created_by": "ada", "since": since}),
        (
            [graphql_schema.IssueState.OPEN],
            graphql_schema.IssueOrder(field="CREATED_AT", direction="DESC"),
            graphql_schema.IssueFilters({"createdBy": "ada", "since": "2026-05-04T00:00:00+00:00"}),
        ),
    ]:
        await query_repository_issues.fn(
            "shop", "etl", "bug", states, credentials, order_by=order_by, filter_by=filter_by, last=5
        )
    first, second = heard
    assert first == second
    assert first["labels"] == ["bug"]
    assert first["states"] == ["OPEN"]
    assert first["last"] == 5
    assert "first" not in first
    assert first["orderBy"] == {"field": "CREATED_AT", "direction": "DESC"}
    assert first["filterBy"].items() >= {"createdBy": "ada", "since": "2026-05-04T00:00:00+00:00"}.items()


async def test_times_are_sent_as_github_reads_them(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    await query_viewer_contributions_collection.fn(credentials, from_=begin, to="2026-02-01T00:00:00Z")
    assert github_api.operations[0].variables == {
        "from": "2026-01-01T00:00:00+00:00",
        "to": "2026-02-01T00:00:00Z",
    }


async def test_a_change_returns_what_it_made(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    made = await create_issue.fn("R_1", "Parcels are late", ["U_1"], [], None, credentials, body="Since *today*.")
    assert made is not None
    assert made.keys() >= {"id", "number", "title", "url"}
    assert github_api.operations[0].variables == {
        "input": {
            "repositoryId": "R_1",
            "title": "Parcels are late",
            "assigneeIds": ["U_1"],
            "labelIds": [],
            "body": "Since *today*.",
        }
    }
    short = await create_issue.fn("R_1", "x", [], [], [], credentials, return_fields=["number"])
    assert short is not None
    assert list(short) == ["number"]
    with pytest.raises(ValueError, match=r"User has it: write 'author \{ login \}'|no field 'login'"):
        await create_issue.fn("R_1", "x", [], [], [], credentials, return_fields=["login"])


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (close_issue, ("I_1",)),
        (create_pull_request, ("R_1", "main", "fix", "Fix")),
        (close_pull_request, ("PR_1",)),
        (add_pull_request_review, ("PR_1",)),
        (add_reaction, ("I_1", "HEART")),
        (remove_reaction, ("I_1", "HEART")),
    ],
    ids=lambda value: getattr(value, "name", "arguments"),
)
async def test_fields_of_what_was_changed_are_asked_for(
    change: Any, arguments: tuple[Any, ...], github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    assert list(await change.fn(*arguments, credentials, return_fields="id")) == ["id"]


async def test_what_is_not_there_is_none(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    github_api.data = {"repository": {"latestRelease": None}}
    assert await query_repository_latest_release.fn("shop", "etl", credentials) is None


async def test_nothing_on_the_way_is_an_error(github_api: GitHubApi, credentials: GitHubCredentials) -> None:
    github_api.data = {"repositoryOwner": None}
    with pytest.raises(GitHubNotFound, match="no repositoryOwner"):
        await query_repository_owner_repository.fn("nobody", "etl", credentials)
    with pytest.raises(GitHubNotFound, match="no repositoryOwner"):
        await query_repository_owner.fn("nobody", credentials)


async def test_errors_of_github_are_raised_with_their_path(
    github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    github_api.data = {"viewer": {"repository": FieldError("NOT_FOUND", "Could not resolve to a Repository.")}}
    with pytest.raises(GitHubNotFound, match=r"Could not resolve to a Repository") as caught:
        await query_viewer_repository.fn("gone", credentials)
    assert caught.value.errors[0]["path"] == ["viewer", "repository"]


async def test_a_field_that_github_removed_is_refused_by_github(
    github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    with pytest.raises(GitHubError, match="projectNext"):
        await query_repository_project_next.fn("shop", "etl", 1, credentials)
    github_api.version = "2022"
    assert (await query_repository_project_next.fn("shop", "etl", 1, credentials))["number"] == 1


async def test_default_fields_can_be_changed_for_a_process(
    github_api: GitHubApi, credentials: GitHubCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_github import user

    monkeypatch.setitem(user.return_fields_defaults, "user", ["login"])
    assert (await query_user.fn("ada", credentials)).keys() == {"login"}
