# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that ask for a repository, and for what belongs to it; and the block that pulls its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._block import GitHubRepository
from ._queries import query
from .credentials import GitHubAppCredentials, GitHubCredentials
from .utils import initialize_return_fields_defaults, strip_kwargs

__all__ = [
    "GitHubCredentials",
    "GitHubRepository",
    "initialize_return_fields_defaults",
    "query_repository",
    "query_repository_assignable_users",
    "query_repository_branch_protection_rules",
    "query_repository_code_of_conduct",
    "query_repository_collaborators",
    "query_repository_commit_comments",
    "query_repository_contact_links",
    "query_repository_default_branch_ref",
    "query_repository_deploy_keys",
    "query_repository_deployments",
    "query_repository_discussion",
    "query_repository_discussion_categories",
    "query_repository_discussion_category",
    "query_repository_discussions",
    "query_repository_environment",
    "query_repository_environments",
    "query_repository_forks",
    "query_repository_funding_links",
    "query_repository_interaction_ability",
    "query_repository_issue",
    "query_repository_issue_or_pull_request",
    "query_repository_issue_templates",
    "query_repository_issues",
    "query_repository_label",
    "query_repository_labels",
    "query_repository_languages",
    "query_repository_latest_release",
    "query_repository_license_info",
    "query_repository_mentionable_users",
    "query_repository_milestone",
    "query_repository_milestones",
    "query_repository_object",
    "query_repository_owner",
    "query_repository_packages",
    "query_repository_pinned_discussions",
    "query_repository_pinned_issues",
    "query_repository_primary_language",
    "query_repository_project",
    "query_repository_project_next",
    "query_repository_project_v2",
    "query_repository_projects",
    "query_repository_projects_next",
    "query_repository_projects_v2",
    "query_repository_pull_request",
    "query_repository_pull_request_templates",
    "query_repository_pull_requests",
    "query_repository_recent_projects",
    "query_repository_ref",
    "query_repository_refs",
    "query_repository_release",
    "query_repository_releases",
    "query_repository_repository_topics",
    "query_repository_stargazers",
    "query_repository_submodules",
    "query_repository_vulnerability_alerts",
    "query_repository_watchers",
    "strip_kwargs",
]

config_path = Path(__file__).parent / "configs" / "query" / "repository.json"
return_fields_defaults = initialize_return_fields_defaults(config_path)

_query = partial(query, return_fields_defaults)


@async_task()
async def query_repository(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository`: a given repository by the owner and repository name.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Repository`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Repository`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials, return_fields, repository={"owner": owner, "name": name, "follow_renames": follow_renames}
    )


@async_task()
async def query_repository_ref(
    owner: str,
    name: str,
    qualified_name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.ref`: fetch a given ref from the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        qualified_name: The ref to retrieve. Fully qualified matches are checked in order (`refs/heads/master`) before
            falling back onto checks for short name matches (`master`).
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Ref`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Ref`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        ref={"qualified_name": qualified_name},
    )


@async_task()
async def query_repository_refs(
    owner: str,
    name: str,
    ref_prefix: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    query: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    direction: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.refs`: fetch a list of refs from the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        ref_prefix: A ref name prefix like `refs/heads/`, `refs/tags/`, etc.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        query: Filters refs with query on name.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        direction: DEPRECATED: use orderBy. The ordering direction. One of `ASC`, `DESC`.
        order_by: Ordering options for refs returned from the connection. Fields of RefOrder: `direction`, `field`.
        return_fields: Fields of `RefConnection`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `RefConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        refs={
            "ref_prefix": ref_prefix,
            "query": query,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "direction": direction,
            "order_by": order_by,
        },
    )


@async_task()
async def query_repository_owner(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.owner`: the User owner of the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `RepositoryOwner`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryOwner`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        owner={},
    )


@async_task()
async def query_repository_forks(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
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
    """Ask for `repository.forks`: a list of direct forked repositories.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        return_fields: Fields of `RepositoryConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        forks={
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
async def query_repository_issue(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.issue`: a single issue from the current repository by number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The number for the issue to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Issue`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Issue`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        issue={"number": number},
    )


@async_task()
async def query_repository_label(
    owner: str,
    name: str,
    label_name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.label`: a single label by name.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        label_name: Label name.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Label`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Label`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        label={"name": label_name},
    )


@async_task()
async def query_repository_issues(
    owner: str,
    name: str,
    labels: Iterable[str] | None,
    states: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    order_by: Mapping[str, Any] | None = None,
    filter_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.issues`: a list of issues that have been opened in the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        labels: A list of label names to filter the pull requests by.
        states: A list of states to filter the issues by. One of `CLOSED`, `OPEN`.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
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
async def query_repository_labels(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "ASC"},
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    query: str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.labels`: a list of labels associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        order_by: Ordering options for labels returned from the connection. Fields of LabelOrder: `direction`, `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        query: If provided, searches labels by name and description.
        return_fields: Fields of `LabelConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `LabelConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        labels={"order_by": order_by, "after": after, "before": before, "first": first, "last": last, "query": query},
    )


@async_task()
async def query_repository_object(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    oid: str | None = None,
    expression: str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.object`: a Git object in the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        oid: The Git object ID.
        expression: A Git revision expression suitable for rev-parse.
        return_fields: Fields of `GitObject`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `GitObject`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        object={"oid": oid, "expression": expression},
    )


@async_task()
async def query_repository_project(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.project`: project by number.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The project number to find.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Project`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Project`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        project={"number": number},
    )


@async_task()
async def query_repository_release(
    owner: str,
    name: str,
    tag_name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.release`: a single release given various criteria.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        tag_name: The name of the Tag the Release was created from.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Release`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Release`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        release={"tag_name": tag_name},
    )


@async_task()
async def query_repository_projects(
    owner: str,
    name: str,
    states: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    order_by: Mapping[str, Any] | None = None,
    search: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.projects`: a list of projects under the owner.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        states: A list of states to filter the projects by. One of `CLOSED`, `OPEN`.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
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
async def query_repository_packages(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
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
    """Ask for `repository.packages`: a list of packages under the owner.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
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
async def query_repository_releases(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.releases`: list of releases which are dependent on this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Order for connection. Fields of ReleaseOrder: `direction`, `field`.
        return_fields: Fields of `ReleaseConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ReleaseConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        releases={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_repository_watchers(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.watchers`: a list of users watching the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `UserConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `UserConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        watchers={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_languages(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.languages`: a list containing a breakdown of the language composition of the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Order for connection. Fields of LanguageOrder: `direction`, `field`.
        return_fields: Fields of `LanguageConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `LanguageConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        languages={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_repository_milestone(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.milestone`: a single milestone from the current repository by number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The number for the milestone to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Milestone`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Milestone`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        milestone={"number": number},
    )


@async_task()
async def query_repository_project_v2(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.projectV2`: the Project according to the provided Project number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The Project number.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `ProjectV2`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectV2`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        project_v2={"number": number},
    )


@async_task()
async def query_repository_stargazers(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.stargazers`: a list of users who have starred this starrable.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Order for connection. Fields of StarOrder: `direction`, `field`.
        return_fields: Fields of `StargazerConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `StargazerConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        stargazers={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_repository_deploy_keys(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.deployKeys`: a list of deploy keys that are on this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `DeployKeyConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `DeployKeyConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        deploy_keys={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_discussion(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.discussion`: a single discussion from the current repository by number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The number for the discussion to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Discussion`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Discussion`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        discussion={"number": number},
    )


@async_task()
async def query_repository_milestones(
    owner: str,
    name: str,
    states: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    query: str | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.milestones`: a list of milestones associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        states: Filter by the state of the milestones. One of `CLOSED`, `OPEN`.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for milestones. Fields of MilestoneOrder: `direction`, `field`.
        query: Filters milestones with a query on the title.
        return_fields: Fields of `MilestoneConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `MilestoneConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        milestones={
            "states": states,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "order_by": order_by,
            "query": query,
        },
    )


@async_task()
async def query_repository_projects_v2(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    query: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "NUMBER", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.projectsV2`: list of projects linked to this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        query: A project to search for linked to the repo.
        order_by: How to order the returned projects. Fields of ProjectV2Order: `direction`, `field`.
        return_fields: Fields of `ProjectV2Connection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectV2Connection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        projects_v2={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "query": query,
            "order_by": order_by,
        },
    )


@async_task()
async def query_repository_submodules(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.submodules`.

    A list of all submodules in this repository parsed from the .gitmodules file as of the default branch's HEAD commit.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `SubmoduleConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SubmoduleConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        submodules={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_license_info(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.licenseInfo`: the license associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `License`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `License`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        license_info={},
    )


@async_task()
async def query_repository_deployments(
    owner: str,
    name: str,
    environments: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "ASC"},
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.deployments`: deployments associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        environments: Environments to list deployments for.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        order_by: Ordering options for deployments returned from the connection. Fields of DeploymentOrder: `direction`,
            `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `DeploymentConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `DeploymentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        deployments={
            "environments": environments,
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_repository_discussions(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    category_id: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "UPDATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.discussions`: a list of discussions that have been opened in the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        category_id: Only include discussions that belong to the category with this ID.
        order_by: Ordering options for discussions returned from the connection. Fields of DiscussionOrder: `direction`,
            `field`.
        return_fields: Fields of `DiscussionConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `DiscussionConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        discussions={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "category_id": category_id,
            "order_by": order_by,
        },
    )


@async_task()
async def query_repository_environment(
    owner: str,
    name: str,
    environment_name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.environment`: a single active environment from the current repository by name.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        environment_name: The name of the environment to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Environment`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Environment`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        environment={"name": environment_name},
    )


@async_task()
async def query_repository_project_next(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.projectNext`: the Project (beta) according to the provided Project (beta) number.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The ProjectNext number.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `ProjectNext`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectNext`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        project_next={"number": number},
    )


@async_task()
async def query_repository_pull_request(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.pullRequest`: a single pull request from the current repository by number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The number for the pull request to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `PullRequest`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `PullRequest`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        pull_request={"number": number},
    )


@async_task()
async def query_repository_contact_links(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> list[dict[str, Any]] | None:
    """Ask for `repository.contactLinks`: a list of contact links associated to the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `RepositoryContactLink`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        One dictionary for each `RepositoryContactLink`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        contact_links={},
    )


@async_task()
async def query_repository_environments(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.environments`: a list of environments that are in this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `EnvironmentConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `EnvironmentConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        environments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_funding_links(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Ask for `repository.fundingLinks`: the funding links for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `FundingLink`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        One dictionary for each `FundingLink`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        funding_links={},
    )


@async_task()
async def query_repository_pinned_issues(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.pinnedIssues`: a list of pinned issues for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PinnedIssueConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `PinnedIssueConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        pinned_issues={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_projects_next(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    query: str | None = None,
    sort_by: str | None = "TITLE",
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.projectsNext`: list of projects (beta) linked to this repository.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        query: A project (beta) to search for linked to the repo.
        sort_by: How to order the returned project (beta) objects. One of `CREATED_AT`, `NUMBER`, `TITLE`, `UPDATED_AT`.
        return_fields: Fields of `ProjectNextConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProjectNextConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        projects_next={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "query": query,
            "sort_by": sort_by,
        },
    )


@async_task()
async def query_repository_pull_requests(
    owner: str,
    name: str,
    states: Iterable[str] | None,
    labels: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    head_ref_name: str | None = None,
    base_ref_name: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.pullRequests`: a list of pull requests that have been opened in the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        states: A list of states to filter the pull requests by. One of `CLOSED`, `MERGED`, `OPEN`.
        labels: A list of label names to filter the pull requests by.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
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
async def query_repository_code_of_conduct(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.codeOfConduct`: the code of conduct for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `CodeOfConduct`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `CodeOfConduct`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        code_of_conduct={},
    )


@async_task()
async def query_repository_collaborators(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    affiliation: str | None = None,
    query: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.collaborators`: a list of collaborators associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        affiliation: Collaborators affiliation level with a repository. One of `ALL`, `DIRECT`, `OUTSIDE`.
        query: Filters users with query on user name and login.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `RepositoryCollaboratorConnection`, in snake case or as GitHub spells them; see
            `configs` for the default.

    Returns:
        The fields of `RepositoryCollaboratorConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        collaborators={
            "affiliation": affiliation,
            "query": query,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_repository_latest_release(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.latestRelease`: get the latest release for the repository if one exists.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Release`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Release`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        latest_release={},
    )


@async_task()
async def query_repository_recent_projects(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.recentProjects`: recent projects that this user has modified in the context of the owner.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        recent_projects={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_commit_comments(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.commitComments`: a list of commit comments associated with the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
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
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        commit_comments={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_issue_templates(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> list[dict[str, Any]] | None:
    """Ask for `repository.issueTemplates`: a list of issue templates associated to the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `IssueTemplate`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        One dictionary for each `IssueTemplate`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        issue_templates={},
    )


@async_task()
async def query_repository_assignable_users(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    query: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.assignableUsers`: a list of users that can be assigned to issues in this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        query: Filters users with query on user name and login.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `UserConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `UserConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        assignable_users={"query": query, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_primary_language(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.primaryLanguage`: the primary language of the repository's code.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Language`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Language`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        primary_language={},
    )


@async_task()
async def query_repository_default_branch_ref(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.defaultBranchRef`: the Ref associated with the repository's default branch.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `Ref`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Ref`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        default_branch_ref={},
    )


@async_task()
async def query_repository_mentionable_users(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    query: str | None = None,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.mentionableUsers`: a list of Users that can be mentioned in the context of the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        query: Filters users with query on user name and login.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `UserConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `UserConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        mentionable_users={"query": query, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_repository_topics(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.repositoryTopics`: a list of applied repository-topic associations for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `RepositoryTopicConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `RepositoryTopicConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        repository_topics={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_pinned_discussions(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.pinnedDiscussions`: a list of discussions that have been pinned in this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `PinnedDiscussionConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `PinnedDiscussionConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        pinned_discussions={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_repository_discussion_category(
    owner: str,
    name: str,
    slug: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.discussionCategory`: a discussion category by slug.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        slug: The slug of the discussion category to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `DiscussionCategory`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `DiscussionCategory`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        discussion_category={"slug": slug},
    )


@async_task()
async def query_repository_interaction_ability(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.interactionAbility`: the interaction ability settings for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `RepositoryInteractionAbility`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `RepositoryInteractionAbility`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        interaction_ability={},
    )


@async_task()
async def query_repository_issue_or_pull_request(
    owner: str,
    name: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.issueOrPullRequest`: a single issue-like object from the current repository by number.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        number: The number for the issue to be returned.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `IssueOrPullRequest`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `IssueOrPullRequest`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        issue_or_pull_request={"number": number},
    )


@async_task()
async def query_repository_vulnerability_alerts(
    owner: str,
    name: str,
    states: Iterable[str] | None,
    dependency_scopes: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repository.vulnerabilityAlerts`: a list of vulnerability alerts that are on this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        states: Filter by the state of the alert. One of `AUTO_DISMISSED`, `DISMISSED`, `FIXED`, `OPEN`.
        dependency_scopes: Filter by the scope of the alert's dependency. One of `DEVELOPMENT`, `RUNTIME`.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `RepositoryVulnerabilityAlertConnection`, in snake case or as GitHub spells them; see
            `configs` for the default.

    Returns:
        The fields of `RepositoryVulnerabilityAlertConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        vulnerability_alerts={
            "states": states,
            "dependency_scopes": dependency_scopes,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_repository_discussion_categories(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    filter_by_assignable: bool | None = False,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.discussionCategories`: a list of discussion categories that are available in the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        filter_by_assignable: Filter by categories that are assignable by the viewer.
        return_fields: Fields of `DiscussionCategoryConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `DiscussionCategoryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        discussion_categories={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "filter_by_assignable": filter_by_assignable,
        },
    )


@async_task()
async def query_repository_pull_request_templates(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> list[dict[str, Any]] | None:
    """Ask for `repository.pullRequestTemplates`: a list of pull request templates associated to the repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        return_fields: Fields of `PullRequestTemplate`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        One dictionary for each `PullRequestTemplate`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        pull_request_templates={},
    )


@async_task()
async def query_repository_branch_protection_rules(
    owner: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repository.branchProtectionRules`: a list of branch protection rules for this repository.

    Args:
        owner: The login field of a user or organization.
        name: The name of the repository.
        github_credentials: Who asks, and which GitHub.
        follow_renames: Follow repository renames. If disabled, a repository referenced by its old name will return an
            error.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `BranchProtectionRuleConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `BranchProtectionRuleConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        repository={"owner": owner, "name": name, "follow_renames": follow_renames},
        branch_protection_rules={"after": after, "before": before, "first": first, "last": last},
    )
