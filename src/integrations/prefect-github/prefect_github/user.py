# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that ask for a user, and for what belongs to them."""

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
    "query_user",
    "query_user_commit_comments",
    "query_user_contributions_collection",
    "query_user_followers",
    "query_user_following",
    "query_user_gist",
    "query_user_gist_comments",
    "query_user_gists",
    "query_user_interaction_ability",
    "query_user_issue_comments",
    "query_user_issues",
    "query_user_item_showcase",
    "query_user_organization",
    "query_user_organizations",
    "query_user_packages",
    "query_user_pinnable_items",
    "query_user_pinned_items",
    "query_user_project",
    "query_user_project_next",
    "query_user_project_v2",
    "query_user_projects",
    "query_user_projects_next",
    "query_user_projects_v2",
    "query_user_public_keys",
    "query_user_pull_requests",
    "query_user_recent_projects",
    "query_user_repositories",
    "query_user_repositories_contributed_to",
    "query_user_repository",
    "query_user_repository_discussion_comments",
    "query_user_repository_discussions",
    "query_user_saved_replies",
    "query_user_sponsoring",
    "query_user_sponsors",
    "query_user_sponsors_activities",
    "query_user_sponsors_listing",
    "query_user_sponsorship_for_viewer_as_sponsor",
    "query_user_sponsorship_for_viewer_as_sponsorable",
    "query_user_sponsorship_newsletters",
    "query_user_sponsorships_as_maintainer",
    "query_user_sponsorships_as_sponsor",
    "query_user_starred_repositories",
    "query_user_status",
    "query_user_top_repositories",
    "query_user_watching",
    "strip_kwargs",
]

config_path = Path(__file__).parent / "configs" / "query" / "user.json"
return_fields_defaults = initialize_return_fields_defaults(config_path)

_query = partial(query, return_fields_defaults)


@async_task()
async def query_user(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user`: a user by login.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `User`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `User`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, user={"login": login})


@async_task()
async def query_user_gist(
    login: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.gist`: gist by repo name.

    Args:
        login: The user's login.
        name: The gist name to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Gist`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Gist`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, gist={"name": name})


@async_task()
async def query_user_gists(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.gists`: a list of the Gists the user has created.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_issues(
    login: str,
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
    """Ask for `user.issues`: a list of issues associated with this user.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_status(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.status`: the user's description of what they're currently doing.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `UserStatus`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `UserStatus`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, status={})


@async_task()
async def query_user_project(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.project`: project by number.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        login: The user's login.
        number: The project number to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Project`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Project`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, project={"number": number})


@async_task()
async def query_user_packages(
    login: str,
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
    """Ask for `user.packages`: a list of packages under the owner.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_projects(
    login: str,
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
    """Ask for `user.projects`: a list of projects under the owner.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_sponsors(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    tier_id: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "RELEVANCE", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.sponsors`: list of sponsors for this user or organization.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_watching(
    login: str,
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
    """Ask for `user.watching`: a list of repositories the given user is watching.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_project_v2(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.projectV2`: a project by number.

    Args:
        login: The user's login.
        number: The project number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectV2`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectV2`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, project_v2={"number": number})


@async_task()
async def query_user_followers(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.followers`: a list of users the given user is followed by.

    Args:
        login: The user's login.
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
        user={"login": login},
        followers={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_following(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.following`: a list of users the given user is following.

    Args:
        login: The user's login.
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
        user={"login": login},
        following={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_projects_v2(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    query: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "NUMBER", "direction": "DESC"},
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.projectsV2`: a list of projects under the owner.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_repository(
    login: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.repository`: repository.

    Args:
        login: The user's login.
        name: Name of Repository to find.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Repository`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Repository`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        user={"login": login},
        repository={"name": name, "follow_renames": follow_renames},
    )


@async_task()
async def query_user_sponsoring(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "RELEVANCE", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.sponsoring`: list of users and organizations this entity is sponsoring.

    Args:
        login: The user's login.
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
        user={"login": login},
        sponsoring={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_user_public_keys(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.publicKeys`: a list of public keys associated with this user.

    Args:
        login: The user's login.
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
        user={"login": login},
        public_keys={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_project_next(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.projectNext`: a project by project (beta) number.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        login: The user's login.
        number: The project (beta) number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectNext`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectNext`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, project_next={"number": number})


@async_task()
async def query_user_pinned_items(
    login: str,
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.pinnedItems`: a list of repositories and gists this profile owner has pinned to their profile.

    Args:
        login: The user's login.
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
        user={"login": login},
        pinned_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_projects_next(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    query: str | None = None,
    sort_by: str | None = "TITLE",
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.projectsNext`: a list of projects (beta) under the owner.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_repositories(
    login: str,
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
    """Ask for `user.repositories`: a list of repositories that the user owns.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_item_showcase(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.itemShowcase`.

    Showcases a selection of repositories and gists that the profile owner has either curated or that have been selected
    automatically based on popularity.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProfileItemShowcase`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProfileItemShowcase`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, item_showcase={})


@async_task()
async def query_user_gist_comments(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.gistComments`: a list of gist comments made by this user.

    Args:
        login: The user's login.
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
        user={"login": login},
        gist_comments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_organization(
    login: str,
    organization_login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.organization`: an organization by its login that the user belongs to.

    Args:
        login: The user's login.
        organization_login: The login of the organization to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Organization`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Organization`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, user={"login": login}, organization={"login": organization_login}
    )


@async_task()
async def query_user_pull_requests(
    login: str,
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
    """Ask for `user.pullRequests`: a list of pull requests associated with this user.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_saved_replies(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "UPDATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.savedReplies`: replies this user has saved.

    Args:
        login: The user's login.
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
        user={"login": login},
        saved_replies={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_user_pinnable_items(
    login: str,
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.pinnableItems`: a list of repositories and gists this profile owner can pin to their profile.

    Args:
        login: The user's login.
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
        user={"login": login},
        pinnable_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_issue_comments(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.issueComments`: a list of issue comments made by this user.

    Args:
        login: The user's login.
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
        user={"login": login},
        issue_comments={"order_by": order_by, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_organizations(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.organizations`: a list of organizations the user belongs to.

    Args:
        login: The user's login.
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
        user={"login": login},
        organizations={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_recent_projects(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.recentProjects`: recent projects that this user has modified in the context of the owner.

    Args:
        login: The user's login.
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
        user={"login": login},
        recent_projects={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_commit_comments(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.commitComments`: a list of commit comments made by this user.

    Args:
        login: The user's login.
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
        user={"login": login},
        commit_comments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_user_sponsors_listing(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.sponsorsListing`: the GitHub Sponsors listing for this user or organization.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `SponsorsListing`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorsListing`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, sponsors_listing={})


@async_task()
async def query_user_top_repositories(
    login: str,
    order_by: Mapping[str, Any],
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    since: datetime | str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.topRepositories`.

    Repositories the user has contributed to, ordered by contribution rank, plus repositories the user has created.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_sponsors_activities(
    login: str,
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
    """Ask for `user.sponsorsActivities`: events involving this sponsorable, such as new sponsorships.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_interaction_ability(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.interactionAbility`: the interaction ability settings for this user.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `RepositoryInteractionAbility`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `RepositoryInteractionAbility`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, interaction_ability={})


@async_task()
async def query_user_starred_repositories(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    owned_by_viewer: bool | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.starredRepositories`: repositories the user has starred.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_repository_discussions(
    login: str,
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
    """Ask for `user.repositoryDiscussions`: discussions this user has started.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_sponsorships_as_sponsor(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.sponsorshipsAsSponsor`: the sponsorships where this user or organization is the funder.

    Args:
        login: The user's login.
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
        user={"login": login},
        sponsorships_as_sponsor={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_user_sponsorship_newsletters(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.sponsorshipNewsletters`: list of sponsorship updates sent from this sponsorable to sponsors.

    Args:
        login: The user's login.
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
        user={"login": login},
        sponsorship_newsletters={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_user_contributions_collection(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    organization_id: str | None = None,
    from_: datetime | str | None = None,
    to: datetime | str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.contributionsCollection`.

    The collection of contributions this user has made to different repositories.

    Args:
        login: The user's login.
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
        user={"login": login},
        contributions_collection={"organization_id": organization_id, "from": from_, "to": to},
    )


@async_task()
async def query_user_sponsorships_as_maintainer(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    include_private: bool | None = False,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.sponsorshipsAsMaintainer`.

    The sponsorships where this user or organization is the maintainer receiving the funds.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_repositories_contributed_to(
    login: str,
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
    """Ask for `user.repositoriesContributedTo`: a list of repositories that the user recently contributed to.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_repository_discussion_comments(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    repository_id: str | None = None,
    only_answers: bool | None = False,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `user.repositoryDiscussionComments`: discussion comments this user has authored.

    Args:
        login: The user's login.
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
        user={"login": login},
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
async def query_user_sponsorship_for_viewer_as_sponsor(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.sponsorshipForViewerAsSponsor`.

    The sponsorship from the viewer to this user/organization; that is, the sponsorship where you're the sponsor.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, user={"login": login}, sponsorship_for_viewer_as_sponsor={})


@async_task()
async def query_user_sponsorship_for_viewer_as_sponsorable(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `user.sponsorshipForViewerAsSponsorable`.

    The sponsorship from this user/organization to the viewer; that is, the sponsorship you're receiving.

    Args:
        login: The user's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, user={"login": login}, sponsorship_for_viewer_as_sponsorable={}
    )
