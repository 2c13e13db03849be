# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that ask for the user whose token it is, and for what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._queries import query
from .credentials import GitHubAppCredentials, GitHubCredentials
from .utils import initialize_return_fields_defaults, strip_kwargs

__all__ = [
    "GitHubCredentials",
    "initialize_return_fields_defaults",
    "query_viewer",
    "query_viewer_commit_comments",
    "query_viewer_contributions_collection",
    "query_viewer_followers",
    "query_viewer_following",
    "query_viewer_gist",
    "query_viewer_gist_comments",
    "query_viewer_gists",
    "query_viewer_interaction_ability",
    "query_viewer_issue_comments",
    "query_viewer_issues",
    "query_viewer_item_showcase",
    "query_viewer_organization",
    "query_viewer_organizations",
    "query_viewer_packages",
    "query_viewer_pinnable_items",
    "query_viewer_pinned_items",
    "query_viewer_project",
    "query_viewer_project_next",
    "query_viewer_project_v2",
    "query_viewer_projects",
    "query_viewer_projects_next",
    "query_viewer_projects_v2",
    "query_viewer_public_keys",
    "query_viewer_pull_requests",
    "query_viewer_recent_projects",
    "query_viewer_repositories",
    "query_viewer_repositories_contributed_to",
    "query_viewer_repository",
    "query_viewer_repository_discussion_comments",
    "query_viewer_repository_discussions",
    "query_viewer_saved_replies",
    "query_viewer_sponsoring",
    "query_viewer_sponsors",
    "query_viewer_sponsors_activities",
    "query_viewer_sponsors_listing",
    "query_viewer_sponsorship_for_viewer_as_sponsor",
    "query_viewer_sponsorship_for_viewer_as_sponsorable",
    "query_viewer_sponsorship_newsletters",
    "query_viewer_sponsorships_as_maintainer",
    "query_viewer_sponsorships_as_sponsor",
    "query_viewer_starred_repositories",
    "query_viewer_status",
    "query_viewer_top_repositories",
    "query_viewer_watching",
    "strip_kwargs",
]

config_path = Path(__file__).parent / "configs" / "query" / "viewer.json"
return_fields_defaults = initialize_return_fields_defaults(config_path)

_query = partial(query, return_fields_defaults)


@async_task()
async def query_viewer(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer`: the currently authenticated user.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `User`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `User`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, viewer={})


@async_task()
async def query_viewer_gist(
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.gist`: gist by repo name.

    Args:
        name: The gist name to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Gist`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Gist`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, gist={"name": name})


@async_task()
async def query_viewer_gists(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.gists`: a list of the Gists the user has created.

    Args:
        github_credentials: Who asks, and which GitHub.
        privacy: Filters Gists according to privacy. One of `ALL`, `PUBLIC`, `SECRET`.
        order_by: Ordering options for gists returned from the connection. Fields of GistOrder: `direction`, `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `GistConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `GistConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        gists={
            "privacy": privacy,
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_issues(
    labels: Iterable[str] | None,
    states: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    order_by: Mapping[str, Any] | None = None,
    filter_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.issues`: a list of issues associated with this user.

    Args:
        labels: A list of label names to filter the pull requests by.
        states: A list of states to filter the issues by. One of `CLOSED`, `OPEN`.
        github_credentials: Who asks, and which GitHub.
        order_by: Ordering options for issues returned from the connection. Fields of IssueOrder: `direction`, `field`.
        filter_by: Filtering options for issues returned from the connection. Fields of IssueFilters: `assignee`,
            `created_by`, `labels`, `mentioned`, `milestone`, `milestone_number`, `since`, `states`,
            `viewer_subscribed`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `IssueConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `IssueConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        issues={
            "labels": labels,
            "states": states,
            "order_by": order_by,
            "filter_by": filter_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_status(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.status`: the user's description of what they're currently doing.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `UserStatus`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `UserStatus`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, status={})


@async_task()
async def query_viewer_project(
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.project`: project by number.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        number: The project number to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Project`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Project`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, project={"number": number})


@async_task()
async def query_viewer_packages(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    names: Iterable[str] | None = None,
    repository_id: str | None = None,
    package_type: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.packages`: a list of packages under the owner.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        names: Find packages by their names.
        repository_id: Find packages in a repository by ID.
        package_type: Filter registry package by type. One of `DEBIAN`, `DOCKER`, `MAVEN`, `NPM`, `NUGET`, `PYPI`,
            `RUBYGEMS`.
        order_by: Ordering of the returned packages. Fields of PackageOrder: `direction`, `field`.
        return_fields: Fields of `PackageConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PackageConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        packages={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "names": names,
            "repository_id": repository_id,
            "package_type": package_type,
            "order_by": order_by,
        },
    )


@async_task()
async def query_viewer_projects(
    states: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    order_by: Mapping[str, Any] | None = None,
    search: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.projects`: a list of projects under the owner.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        states: A list of states to filter the projects by. One of `CLOSED`, `OPEN`.
        github_credentials: Who asks, and which GitHub.
        order_by: Ordering options for projects returned from the connection. Fields of ProjectOrder: `direction`,
            `field`.
        search: Query to search projects by, currently only searching by name.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `ProjectConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        projects={
            "states": states,
            "order_by": order_by,
            "search": search,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_sponsors(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    tier_id: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "RELEVANCE", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsors`: list of sponsors for this user or organization.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        tier_id: If given, will filter for sponsors at the given tier. Will only return sponsors whose tier the viewer
            is permitted to see.
        order_by: Ordering options for sponsors returned from the connection. Fields of SponsorOrder: `direction`,
            `field`.
        return_fields: Fields of `SponsorConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsors={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "tier_id": tier_id,
            "order_by": order_by,
        },
    )


@async_task()
async def query_viewer_watching(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    affiliations: Iterable[str] | None = None,
    owner_affiliations: Iterable[str] | None = ("OWNER", "COLLABORATOR"),
    is_locked: bool | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.watching`: a list of repositories the given user is watching.

    Args:
        github_credentials: Who asks, and which GitHub.
        privacy: If non-null, filters repositories according to privacy. Internal repositories are considered private;
            consider using the visibility argument if only internal repositories are needed. Cannot be combined with the
            visibility argument. One of `PRIVATE`, `PUBLIC`.
        order_by: Ordering options for repositories returned from the connection. Fields of RepositoryOrder:
            `direction`, `field`.
        affiliations: Affiliation options for repositories returned from the connection. If none specified, the results
            will include repositories for which the current viewer is an owner or collaborator, or member. One of
            `COLLABORATOR`, `ORGANIZATION_MEMBER`, `OWNER`.
        owner_affiliations: Array of owner's affiliation options for repositories returned from the connection. For
            example, OWNER will include only repositories that the organization or user being viewed owns. One of
            `COLLABORATOR`, `ORGANIZATION_MEMBER`, `OWNER`.
        is_locked: If non-null, filters repositories according to whether they have been locked.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `RepositoryConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        watching={
            "privacy": privacy,
            "order_by": order_by,
            "affiliations": affiliations,
            "owner_affiliations": owner_affiliations,
            "is_locked": is_locked,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_project_v2(
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.projectV2`: a project by number.

    Args:
        number: The project number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectV2`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectV2`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, project_v2={"number": number})


@async_task()
async def query_viewer_followers(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.followers`: a list of users the given user is followed by.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `FollowerConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `FollowerConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        followers={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_following(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.following`: a list of users the given user is following.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `FollowingConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `FollowingConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        following={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_projects_v2(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    query: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "NUMBER", "direction": "DESC"},
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.projectsV2`: a list of projects under the owner.

    Args:
        github_credentials: Who asks, and which GitHub.
        query: A project to search for under the owner.
        order_by: How to order the returned projects. Fields of ProjectV2Order: `direction`, `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `ProjectV2Connection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectV2Connection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        projects_v2={
            "query": query,
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_repository(
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.repository`: repository.

    Args:
        name: Name of Repository to find.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Repository`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Repository`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, viewer={}, repository={"name": name, "follow_renames": follow_renames}
    )


@async_task()
async def query_viewer_sponsoring(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "RELEVANCE", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsoring`: list of users and organizations this entity is sponsoring.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for the users and organizations returned from the connection. Fields of SponsorOrder:
            `direction`, `field`.
        return_fields: Fields of `SponsorConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsoring={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_viewer_public_keys(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.publicKeys`: a list of public keys associated with this user.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PublicKeyConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PublicKeyConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        public_keys={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_project_next(
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.projectNext`: a project by project (beta) number.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        number: The project (beta) number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectNext`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectNext`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, project_next={"number": number})


@async_task()
async def query_viewer_pinned_items(
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.pinnedItems`: a list of repositories and gists this profile owner has pinned to their profile.

    Args:
        types: Filter the types of pinned items that are returned. One of `GIST`, `ISSUE`, `ORGANIZATION`, `PROJECT`,
            `PULL_REQUEST`, `REPOSITORY`, `TEAM`, `USER`.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PinnableItemConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PinnableItemConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        pinned_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_projects_next(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    query: str | None = None,
    sort_by: str | None = "TITLE",
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.projectsNext`: a list of projects (beta) under the owner.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        github_credentials: Who asks, and which GitHub.
        query: A project (beta) to search for under the the owner.
        sort_by: How to order the returned projects (beta). One of `CREATED_AT`, `NUMBER`, `TITLE`, `UPDATED_AT`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `ProjectNextConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectNextConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        projects_next={
            "query": query,
            "sort_by": sort_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_repositories(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    affiliations: Iterable[str] | None = None,
    owner_affiliations: Iterable[str] | None = ("OWNER", "COLLABORATOR"),
    is_locked: bool | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    is_fork: bool | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.repositories`: a list of repositories that the user owns.

    Args:
        github_credentials: Who asks, and which GitHub.
        privacy: If non-null, filters repositories according to privacy. Internal repositories are considered private;
            consider using the visibility argument if only internal repositories are needed. Cannot be combined with the
            visibility argument. One of `PRIVATE`, `PUBLIC`.
        order_by: Ordering options for repositories returned from the connection. Fields of RepositoryOrder:
            `direction`, `field`.
        affiliations: Array of viewer's affiliation options for repositories returned from the connection. For example,
            OWNER will include only repositories that the current viewer owns. One of `COLLABORATOR`,
            `ORGANIZATION_MEMBER`, `OWNER`.
        owner_affiliations: Array of owner's affiliation options for repositories returned from the connection. For
            example, OWNER will include only repositories that the organization or user being viewed owns. One of
            `COLLABORATOR`, `ORGANIZATION_MEMBER`, `OWNER`.
        is_locked: If non-null, filters repositories according to whether they have been locked.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        is_fork: If non-null, filters repositories according to whether they are forks of another repository.
        return_fields: Fields of `RepositoryConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        repositories={
            "privacy": privacy,
            "order_by": order_by,
            "affiliations": affiliations,
            "owner_affiliations": owner_affiliations,
            "is_locked": is_locked,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "is_fork": is_fork,
        },
    )


@async_task()
async def query_viewer_item_showcase(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.itemShowcase`.

    Showcases a selection of repositories and gists that the profile owner has either curated or that have been selected
    automatically based on popularity.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProfileItemShowcase`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProfileItemShowcase`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, viewer={}, item_showcase={})


@async_task()
async def query_viewer_gist_comments(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.gistComments`: a list of gist comments made by this user.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `GistCommentConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `GistCommentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        gist_comments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_organization(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.organization`: an organization by its login that the user belongs to.

    Args:
        login: The login of the organization to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Organization`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Organization`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, organization={"login": login})


@async_task()
async def query_viewer_pull_requests(
    states: Iterable[str] | None,
    labels: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    head_ref_name: str | None = None,
    base_ref_name: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.pullRequests`: a list of pull requests associated with this user.

    Args:
        states: A list of states to filter the pull requests by. One of `CLOSED`, `MERGED`, `OPEN`.
        labels: A list of label names to filter the pull requests by.
        github_credentials: Who asks, and which GitHub.
        head_ref_name: The head ref name to filter the pull requests by.
        base_ref_name: The base ref name to filter the pull requests by.
        order_by: Ordering options for pull requests returned from the connection. Fields of IssueOrder: `direction`,
            `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PullRequestConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PullRequestConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        pull_requests={
            "states": states,
            "labels": labels,
            "head_ref_name": head_ref_name,
            "base_ref_name": base_ref_name,
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_saved_replies(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "UPDATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.savedReplies`: replies this user has saved.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: The field to order saved replies by. Fields of SavedReplyOrder: `direction`, `field`.
        return_fields: Fields of `SavedReplyConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SavedReplyConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        saved_replies={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_viewer_pinnable_items(
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.pinnableItems`: a list of repositories and gists this profile owner can pin to their profile.

    Args:
        types: Filter the types of pinnable items that are returned. One of `GIST`, `ISSUE`, `ORGANIZATION`, `PROJECT`,
            `PULL_REQUEST`, `REPOSITORY`, `TEAM`, `USER`.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PinnableItemConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PinnableItemConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        pinnable_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_issue_comments(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.issueComments`: a list of issue comments made by this user.

    Args:
        github_credentials: Who asks, and which GitHub.
        order_by: Ordering options for issue comments returned from the connection. Fields of IssueCommentOrder:
            `direction`, `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `IssueCommentConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `IssueCommentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        issue_comments={"order_by": order_by, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_organizations(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.organizations`: a list of organizations the user belongs to.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `OrganizationConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `OrganizationConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        organizations={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_recent_projects(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.recentProjects`: recent projects that this user has modified in the context of the owner.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `ProjectV2Connection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectV2Connection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        recent_projects={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_commit_comments(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.commitComments`: a list of commit comments made by this user.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `CommitCommentConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `CommitCommentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        commit_comments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_viewer_sponsors_listing(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.sponsorsListing`: the GitHub Sponsors listing for this user or organization.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `SponsorsListing`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorsListing`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, sponsors_listing={})


@async_task()
async def query_viewer_top_repositories(
    order_by: Mapping[str, Any],
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    since: datetime | str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.topRepositories`.

    Repositories the user has contributed to, ordered by contribution rank, plus repositories the user has created.

    Args:
        order_by: Ordering options for repositories returned from the connection. Fields of RepositoryOrder:
            `direction`, `field`.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        since: How far back in time to fetch contributed repositories.
        return_fields: Fields of `RepositoryConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        top_repositories={
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "since": since,
        },
    )


@async_task()
async def query_viewer_sponsors_activities(
    actions: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    period: str | None = "MONTH",
    order_by: Mapping[str, Any] | None = {"field": "TIMESTAMP", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsorsActivities`: events involving this sponsorable, such as new sponsorships.

    Args:
        actions: Filter activities to only the specified actions. One of `CANCELLED_SPONSORSHIP`, `NEW_SPONSORSHIP`,
            `PENDING_CHANGE`, `REFUND`, `SPONSOR_MATCH_DISABLED`, `TIER_CHANGE`.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        period: Filter activities returned to only those that occurred in the most recent specified time period. Set to
            ALL to avoid filtering by when the activity occurred. Will be ignored if `since` or `until` is given. One of
            `ALL`, `DAY`, `MONTH`, `WEEK`.
        order_by: Ordering options for activity returned from the connection. Fields of SponsorsActivityOrder:
            `direction`, `field`.
        return_fields: Fields of `SponsorsActivityConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `SponsorsActivityConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsors_activities={
            "actions": actions,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "period": period,
            "order_by": order_by,
        },
    )


@async_task()
async def query_viewer_interaction_ability(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.interactionAbility`: the interaction ability settings for this user.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `RepositoryInteractionAbility`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `RepositoryInteractionAbility`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, interaction_ability={})


@async_task()
async def query_viewer_starred_repositories(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    owned_by_viewer: bool | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.starredRepositories`: repositories the user has starred.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        owned_by_viewer: Filters starred repositories to only return repositories owned by the viewer.
        order_by: Order for connection. Fields of StarOrder: `direction`, `field`.
        return_fields: Fields of `StarredRepositoryConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `StarredRepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        starred_repositories={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "owned_by_viewer": owned_by_viewer,
            "order_by": order_by,
        },
    )


@async_task()
async def query_viewer_repository_discussions(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    repository_id: str | None = None,
    answered: bool | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.repositoryDiscussions`: discussions this user has started.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for discussions returned from the connection. Fields of DiscussionOrder: `direction`,
            `field`.
        repository_id: Filter discussions to only those in a specific repository.
        answered: Filter discussions to only those that have been answered or not. Defaults to including both answered
            and unanswered discussions.
        return_fields: Fields of `DiscussionConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `DiscussionConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        repository_discussions={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "order_by": order_by,
            "repository_id": repository_id,
            "answered": answered,
        },
    )


@async_task()
async def query_viewer_sponsorships_as_sponsor(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsorshipsAsSponsor`: the sponsorships where this user or organization is the funder.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for sponsorships returned from this connection. If left blank, the sponsorships will
            be ordered based on relevancy to the viewer. Fields of SponsorshipOrder: `direction`, `field`.
        return_fields: Fields of `SponsorshipConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorshipConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsorships_as_sponsor={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_viewer_sponsorship_newsletters(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsorshipNewsletters`: list of sponsorship updates sent from this sponsorable to sponsors.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for sponsorship updates returned from the connection. Fields of
            SponsorshipNewsletterOrder: `direction`, `field`.
        return_fields: Fields of `SponsorshipNewsletterConnection`, in snake case or as GitHub spells them; see
            `configs` for the default.

    Returns:
        The fields of `SponsorshipNewsletterConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsorship_newsletters={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_viewer_contributions_collection(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    organization_id: str | None = None,
    from_: datetime | str | None = None,
    to: datetime | str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.contributionsCollection`.

    The collection of contributions this user has made to different repositories.

    Args:
        github_credentials: Who asks, and which GitHub.
        organization_id: The ID of the organization used to filter contributions.
        from_: Only contributions made at this time or later will be counted. If omitted, defaults to a year ago.
        to: Only contributions made before and up to (including) this time will be counted. If omitted, defaults to the
            current time or one year from the provided from argument.
        return_fields: Fields of `ContributionsCollection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `ContributionsCollection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        contributions_collection={"organization_id": organization_id, "from": from_, "to": to},
    )


@async_task()
async def query_viewer_sponsorships_as_maintainer(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    include_private: bool | None = False,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.sponsorshipsAsMaintainer`.

    The sponsorships where this user or organization is the maintainer receiving the funds.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        include_private: Whether or not to include private sponsorships in the result set.
        order_by: Ordering options for sponsorships returned from this connection. If left blank, the sponsorships will
            be ordered based on relevancy to the viewer. Fields of SponsorshipOrder: `direction`, `field`.
        return_fields: Fields of `SponsorshipConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorshipConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        sponsorships_as_maintainer={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "include_private": include_private,
            "order_by": order_by,
        },
    )


@async_task()
async def query_viewer_repositories_contributed_to(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    is_locked: bool | None = None,
    include_user_repositories: bool | None = None,
    contribution_types: Iterable[str] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.repositoriesContributedTo`: a list of repositories that the user recently contributed to.

    Args:
        github_credentials: Who asks, and which GitHub.
        privacy: If non-null, filters repositories according to privacy. One of `PRIVATE`, `PUBLIC`.
        order_by: Ordering options for repositories returned from the connection. Fields of RepositoryOrder:
            `direction`, `field`.
        is_locked: If non-null, filters repositories according to whether they have been locked.
        include_user_repositories: If true, include user repositories.
        contribution_types: If non-null, include only the specified types of contributions. The GitHub.com UI uses
            [COMMIT, ISSUE, PULL_REQUEST, REPOSITORY]. One of `COMMIT`, `ISSUE`, `PULL_REQUEST`, `PULL_REQUEST_REVIEW`,
            `REPOSITORY`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `RepositoryConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        repositories_contributed_to={
            "privacy": privacy,
            "order_by": order_by,
            "is_locked": is_locked,
            "include_user_repositories": include_user_repositories,
            "contribution_types": contribution_types,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_viewer_repository_discussion_comments(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    repository_id: str | None = None,
    only_answers: bool | None = False,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `viewer.repositoryDiscussionComments`: discussion comments this user has authored.

    Args:
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        repository_id: Filter discussion comments to only those in a specific repository.
        only_answers: Filter discussion comments to only those that were marked as the answer.
        return_fields: Fields of `DiscussionCommentConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `DiscussionCommentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        viewer={},
        repository_discussion_comments={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "repository_id": repository_id,
            "only_answers": only_answers,
        },
    )


@async_task()
async def query_viewer_sponsorship_for_viewer_as_sponsor(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.sponsorshipForViewerAsSponsor`.

    The sponsorship from the viewer to this user/organization; that is, the sponsorship where you're the sponsor.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, sponsorship_for_viewer_as_sponsor={})


@async_task()
async def query_viewer_sponsorship_for_viewer_as_sponsorable(
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `viewer.sponsorshipForViewerAsSponsorable`.

    The sponsorship from this user/organization to the viewer; that is, the sponsorship you're receiving.

    Args:
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, viewer={}, sponsorship_for_viewer_as_sponsorable={})
