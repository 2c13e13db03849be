# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that change something at GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._queries import mutate
from .credentials import GitHubAppCredentials, GitHubCredentials
from .utils import initialize_return_fields_defaults, strip_kwargs

__all__ = [
    "GitHubCredentials",
    "add_comment_subject",
    "add_pull_request_review",
    "add_reaction",
    "add_reaction_subject",
    "add_star_starrable",
    "close_issue",
    "close_pull_request",
    "create_issue",
    "create_pull_request",
    "initialize_return_fields_defaults",
    "remove_reaction",
    "remove_reaction_subject",
    "remove_star_starrable",
    "request_reviews",
    "request_reviews_pull_request",
    "strip_kwargs",
]

config_dir = Path(__file__).parent / "configs" / "mutation"
return_fields_defaults: dict[str, list[str]] = {}
for _path in sorted(config_dir.glob("*.json")):
    return_fields_defaults.update(initialize_return_fields_defaults(_path))

_mutate = partial(mutate, return_fields_defaults)


@async_task()
async def add_comment_subject(
    subject_id: str,
    body: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `addComment`: adds a comment to an Issue or Pull Request.

    It returns the `subject` of the answer.

    Args:
        subject_id: The Node ID of the subject to modify.
        body: The contents of the comment.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Node`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Node`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, add_comment={"subject_id": subject_id, "body": body}, subject={}
    )


@async_task()
async def create_pull_request(
    repository_id: str,
    base_ref_name: str,
    head_ref_name: str,
    title: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    body: str | None = None,
    maintainer_can_modify: bool | None = None,
    draft: bool | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `createPullRequest`: create a new pull request.

    It returns the `pullRequest` of the answer.

    Args:
        repository_id: The Node ID of the repository.
        base_ref_name: The name of the branch you want your changes pulled into. This should be an existing branch on
            the current repository. You cannot update the base branch on a pull request to point to another repository.
        head_ref_name: The name of the branch where your changes are implemented. For cross-repository pull requests in
            the same network, namespace `head_ref_name` with a user like this: `username:branch`.
        title: The title of the pull request.
        github_credentials: Who asks, and which GitHub.
        body: The contents of the pull request.
        maintainer_can_modify: Indicates whether maintainers can modify the pull request.
        draft: Indicates whether this pull request should be a draft.
        return_fields: Fields of `PullRequest`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `PullRequest`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials,
        return_fields,
        create_pull_request={
            "repository_id": repository_id,
            "base_ref_name": base_ref_name,
            "head_ref_name": head_ref_name,
            "title": title,
            "body": body,
            "maintainer_can_modify": maintainer_can_modify,
            "draft": draft,
        },
        pull_request={},
    )


@async_task()
async def close_pull_request(
    pull_request_id: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `closePullRequest`: close a pull request.

    It returns the `pullRequest` of the answer.

    Args:
        pull_request_id: ID of the pull request to be closed.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `PullRequest`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `PullRequest`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, close_pull_request={"pull_request_id": pull_request_id}, pull_request={}
    )


@async_task()
async def create_issue(
    repository_id: str,
    title: str,
    assignee_ids: Iterable[str] | None,
    label_ids: Iterable[str] | None,
    project_ids: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    body: str | None = None,
    milestone_id: str | None = None,
    issue_template: str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `createIssue`: creates a new issue.

    It returns the `issue` of the answer.

    Args:
        repository_id: The Node ID of the repository.
        title: The title for the issue.
        assignee_ids: The Node ID for the user assignee for this issue.
        label_ids: An array of Node IDs of labels for this issue.
        project_ids: An array of Node IDs for projects associated with this issue.
        github_credentials: Who asks, and which GitHub.
        body: The body for the issue description.
        milestone_id: The Node ID of the milestone for this issue.
        issue_template: The name of an issue template in the repository, assigns labels and assignees from the template
            to the issue.
        return_fields: Fields of `Issue`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Issue`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials,
        return_fields,
        create_issue={
            "repository_id": repository_id,
            "title": title,
            "assignee_ids": assignee_ids,
            "label_ids": label_ids,
            "project_ids": project_ids,
            "body": body,
            "milestone_id": milestone_id,
            "issue_template": issue_template,
        },
        issue={},
    )


@async_task()
async def close_issue(
    issue_id: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    state_reason: str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `closeIssue`: close an issue.

    It returns the `issue` of the answer.

    Args:
        issue_id: ID of the issue to be closed.
        github_credentials: Who asks, and which GitHub.
        state_reason: The reason the issue is to be closed. One of `COMPLETED`, `DUPLICATE`, `NOT_PLANNED`.
        return_fields: Fields of `Issue`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Issue`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, close_issue={"issue_id": issue_id, "state_reason": state_reason}, issue={}
    )


@async_task()
async def add_star_starrable(
    starrable_id: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `addStar`: adds a star to a Starrable.

    It returns the `starrable` of the answer.

    Args:
        starrable_id: The Starrable ID to star.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Starrable`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Starrable`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(github_credentials, return_fields, add_star={"starrable_id": starrable_id}, starrable={})


@async_task()
async def remove_star_starrable(
    starrable_id: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `removeStar`: removes a star from a Starrable.

    It returns the `starrable` of the answer.

    Args:
        starrable_id: The Starrable ID to unstar.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Starrable`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Starrable`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(github_credentials, return_fields, remove_star={"starrable_id": starrable_id}, starrable={})


@async_task()
async def add_reaction_subject(
    subject_id: str,
    content: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `addReaction`: adds a reaction to a subject.

    It returns the `subject` of the answer.

    Args:
        subject_id: The Node ID of the subject to modify.
        content: The name of the emoji to react with. One of `CONFUSED`, `EYES`, `HEART`, `HOORAY`, `LAUGH`, `ROCKET`,
            `THUMBS_DOWN`, `THUMBS_UP`.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Reactable`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Reactable`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, add_reaction={"subject_id": subject_id, "content": content}, subject={}
    )


@async_task()
async def add_reaction(
    subject_id: str,
    content: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `addReaction`: adds a reaction to a subject.

    It returns the `reaction` of the answer.

    Args:
        subject_id: The Node ID of the subject to modify.
        content: The name of the emoji to react with. One of `CONFUSED`, `EYES`, `HEART`, `HOORAY`, `LAUGH`, `ROCKET`,
            `THUMBS_DOWN`, `THUMBS_UP`.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Reaction`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Reaction`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, add_reaction={"subject_id": subject_id, "content": content}, reaction={}
    )


@async_task()
async def remove_reaction_subject(
    subject_id: str,
    content: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `removeReaction`: removes a reaction from a subject.

    It returns the `subject` of the answer.

    Args:
        subject_id: The Node ID of the subject to modify.
        content: The name of the emoji reaction to remove. One of `CONFUSED`, `EYES`, `HEART`, `HOORAY`, `LAUGH`,
            `ROCKET`, `THUMBS_DOWN`, `THUMBS_UP`.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Reactable`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Reactable`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, remove_reaction={"subject_id": subject_id, "content": content}, subject={}
    )


@async_task()
async def remove_reaction(
    subject_id: str,
    content: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `removeReaction`: removes a reaction from a subject.

    It returns the `reaction` of the answer.

    Args:
        subject_id: The Node ID of the subject to modify.
        content: The name of the emoji reaction to remove. One of `CONFUSED`, `EYES`, `HEART`, `HOORAY`, `LAUGH`,
            `ROCKET`, `THUMBS_DOWN`, `THUMBS_UP`.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Reaction`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Reaction`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials, return_fields, remove_reaction={"subject_id": subject_id, "content": content}, reaction={}
    )


@async_task()
async def request_reviews(
    pull_request_id: str,
    user_ids: Iterable[str] | None,
    team_ids: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    union: bool | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Run `requestReviews`: set review requests on a pull request.

    Args:
        pull_request_id: The Node ID of the pull request to modify.
        user_ids: The Node IDs of the user to request.
        team_ids: The Node IDs of the team to request.
        github_credentials: Who asks, and which GitHub.
        union: Add users to the set rather than replace.
        return_fields: Fields of `RequestReviewsPayload`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RequestReviewsPayload`, with GitHub's names as keys.
    """
    return await _mutate(
        github_credentials,
        return_fields,
        request_reviews={
            "pull_request_id": pull_request_id,
            "user_ids": user_ids,
            "team_ids": team_ids,
            "union": union,
        },
    )


@async_task()
async def request_reviews_pull_request(
    pull_request_id: str,
    user_ids: Iterable[str] | None,
    team_ids: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    union: bool | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `requestReviews`: set review requests on a pull request.

    It returns the `pullRequest` of the answer.

    Args:
        pull_request_id: The Node ID of the pull request to modify.
        user_ids: The Node IDs of the user to request.
        team_ids: The Node IDs of the team to request.
        github_credentials: Who asks, and which GitHub.
        union: Add users to the set rather than replace.
        return_fields: Fields of `PullRequest`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `PullRequest`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials,
        return_fields,
        request_reviews={
            "pull_request_id": pull_request_id,
            "user_ids": user_ids,
            "team_ids": team_ids,
            "union": union,
        },
        pull_request={},
    )


@async_task()
async def add_pull_request_review(
    pull_request_id: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    commit_oid: str | None = None,
    body: str | None = None,
    event: str | None = None,
    comments: Iterable[Mapping[str, Any]] | None = None,
    threads: Iterable[Mapping[str, Any]] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Run `addPullRequestReview`: adds a review to a Pull Request.

    It returns the `pullRequestReview` of the answer.

    Args:
        pull_request_id: The Node ID of the pull request to modify.
        github_credentials: Who asks, and which GitHub.
        commit_oid: The commit OID the review pertains to.
        body: The contents of the review body comment.
        event: The event to perform on the pull request review. One of `APPROVE`, `COMMENT`, `DISMISS`,
            `REQUEST_CHANGES`.
        comments: The review line comments. **Upcoming Change on 2023-10-01 UTC** **Description:** `comments` will be
            removed. use the `threads` argument instead **Reason:** We are deprecating comment fields that use
            diff-relative positioning. Fields of DraftPullRequestReviewComment: `body`, `path`, `position`.
        threads: The review line comment threads. Fields of DraftPullRequestReviewThread: `body`, `line`, `path`,
            `side`, `start_line`, `start_side`.
        return_fields: Fields of `PullRequestReview`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PullRequestReview`, with GitHub's names as keys; `None` when there is none.
    """
    return await _mutate(
        github_credentials,
        return_fields,
        add_pull_request_review={
            "pull_request_id": pull_request_id,
            "commit_oid": commit_oid,
            "body": body,
            "event": event,
            "comments": comments,
            "threads": threads,
        },
        pull_request_review={},
    )
