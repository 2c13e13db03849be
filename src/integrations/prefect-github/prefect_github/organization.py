# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that ask for an organization, and for what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    "query_organization",
    "query_organization_audit_log",
    "query_organization_domains",
    "query_organization_enterprise_owners",
    "query_organization_interaction_ability",
    "query_organization_ip_allow_list_entries",
    "query_organization_item_showcase",
    "query_organization_member_statuses",
    "query_organization_members_with_role",
    "query_organization_packages",
    "query_organization_pending_members",
    "query_organization_pinnable_items",
    "query_organization_pinned_items",
    "query_organization_project",
    "query_organization_project_next",
    "query_organization_project_v2",
    "query_organization_projects",
    "query_organization_projects_next",
    "query_organization_projects_v2",
    "query_organization_recent_projects",
    "query_organization_repositories",
    "query_organization_repository",
    "query_organization_repository_discussion_comments",
    "query_organization_repository_discussions",
    "query_organization_repository_migrations",
    "query_organization_saml_identity_provider",
    "query_organization_sponsoring",
    "query_organization_sponsors",
    "query_organization_sponsors_activities",
    "query_organization_sponsors_listing",
    "query_organization_sponsorship_for_viewer_as_sponsor",
    "query_organization_sponsorship_for_viewer_as_sponsorable",
    "query_organization_sponsorship_newsletters",
    "query_organization_sponsorships_as_maintainer",
    "query_organization_sponsorships_as_sponsor",
    "query_organization_team",
    "query_organization_teams",
    "strip_kwargs",
]

config_path = Path(__file__).parent / "configs" / "query" / "organization.json"
return_fields_defaults = initialize_return_fields_defaults(config_path)

_query = partial(query, return_fields_defaults)


@async_task()
async def query_organization(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization`: a organization by login.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Organization`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Organization`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, organization={"login": login})


@async_task()
async def query_organization_team(
    login: str,
    slug: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.team`: an organization's team by its slug.

    Args:
        login: The organization's login.
        slug: The name or slug of the team to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Team`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Team`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, team={"slug": slug})


@async_task()
async def query_organization_teams(
    login: str,
    user_logins: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    privacy: str | None = None,
    role: str | None = None,
    query: str | None = None,
    order_by: Mapping[str, Any] | None = None,
    ldap_mapped: bool | None = None,
    root_teams_only: bool | None = False,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.teams`: a list of teams in this organization.

    Args:
        login: The organization's login.
        user_logins: User logins to filter by.
        github_credentials: Who asks, and which GitHub.
        privacy: If non-null, filters teams according to privacy. One of `SECRET`, `VISIBLE`.
        role: If non-null, filters teams according to whether the viewer is an admin or member on team. One of `ADMIN`,
            `MEMBER`.
        query: If non-null, filters teams with query on team name and team slug.
        order_by: Ordering options for teams returned from the connection. Fields of TeamOrder: `direction`, `field`.
        ldap_mapped: If true, filters teams that are mapped to an LDAP Group (Enterprise only).
        root_teams_only: If true, restrict to only root teams.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `TeamConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `TeamConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        teams={
            "user_logins": user_logins,
            "privacy": privacy,
            "role": role,
            "query": query,
            "order_by": order_by,
            "ldap_mapped": ldap_mapped,
            "root_teams_only": root_teams_only,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_organization_project(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.project`: project by number.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        login: The organization's login.
        number: The project number to find.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Project`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Project`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, project={"number": number})


@async_task()
async def query_organization_domains(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    is_verified: bool | None = None,
    is_approved: bool | None = None,
    order_by: Mapping[str, Any] | None = {"field": "DOMAIN", "direction": "ASC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.domains`: a list of domains owned by the organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        is_verified: Filter by if the domain is verified.
        is_approved: Filter by if the domain is approved.
        order_by: Ordering options for verifiable domains returned. Fields of VerifiableDomainOrder: `direction`,
            `field`.
        return_fields: Fields of `VerifiableDomainConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `VerifiableDomainConnection`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        domains={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "is_verified": is_verified,
            "is_approved": is_approved,
            "order_by": order_by,
        },
    )


@async_task()
async def query_organization_packages(
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
    """Ask for `organization.packages`: a list of packages under the owner.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_projects(
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
    """Ask for `organization.projects`: a list of projects under the owner.

    GitHub advises against this field, and has announced its removal for 2025-04-01: Projects (classic) is being
    deprecated in favor of the new Projects experience, see:
    https://github.blog/changelog/2024-05-23-sunset-notice-projects-classic/.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_sponsors(
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
    """Ask for `organization.sponsors`: list of sponsors for this user or organization.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_audit_log(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    query: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.auditLog`: audit log entries of the organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        query: The query string to filter audit entries.
        order_by: Ordering options for the returned audit log entries. Fields of AuditLogOrder: `direction`, `field`.
        return_fields: Fields of `OrganizationAuditEntryConnection`, in snake case or as GitHub spells them; see
            `configs` for the default.

    Returns:
        The fields of `OrganizationAuditEntryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        audit_log={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "query": query,
            "order_by": order_by,
        },
    )


@async_task()
async def query_organization_project_v2(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.projectV2`: a project by number.

    Args:
        login: The organization's login.
        number: The project number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectV2`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectV2`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, project_v2={"number": number})


@async_task()
async def query_organization_projects_v2(
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
    """Ask for `organization.projectsV2`: a list of projects under the owner.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_repository(
    login: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.repository`: repository.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        repository={"name": name, "follow_renames": follow_renames},
    )


@async_task()
async def query_organization_sponsoring(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "RELEVANCE", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.sponsoring`: list of users and organizations this entity is sponsoring.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        sponsoring={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_organization_project_next(
    login: str,
    number: int,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.projectNext`: a project by project (beta) number.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        login: The organization's login.
        number: The project (beta) number.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProjectNext`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `ProjectNext`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, organization={"login": login}, project_next={"number": number}
    )


@async_task()
async def query_organization_pinned_items(
    login: str,
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.pinnedItems`.

    A list of repositories and gists this profile owner has pinned to their profile.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        pinned_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_organization_projects_next(
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
    """Ask for `organization.projectsNext`: a list of projects (beta) under the owner.

    GitHub.com has removed this field; it had announced that for 2023-01-01. Its error is raised, with the path. Older
    GitHub Enterprise Servers may still have the field.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_repositories(
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
    """Ask for `organization.repositories`: a list of repositories that the user owns.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_item_showcase(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.itemShowcase`.

    Showcases a selection of repositories and gists that the profile owner has either curated or that have been selected
    automatically based on popularity.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `ProfileItemShowcase`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `ProfileItemShowcase`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, item_showcase={})


@async_task()
async def query_organization_pinnable_items(
    login: str,
    types: Iterable[str] | None,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.pinnableItems`.

    A list of repositories and gists this profile owner can pin to their profile.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        pinnable_items={"types": types, "after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_organization_recent_projects(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.recentProjects`: recent projects that this user has modified in the context of the owner.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        recent_projects={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_organization_member_statuses(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "UPDATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.memberStatuses`.

    Get the status messages members of this entity have set that are either public or visible only to the organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for user statuses returned from the connection. Fields of UserStatusOrder:
            `direction`, `field`.
        return_fields: Fields of `UserStatusConnection`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `UserStatusConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        member_statuses={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_organization_pending_members(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.pendingMembers`: a list of users who have been invited to join this organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
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
        organization={"login": login},
        pending_members={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_organization_sponsors_listing(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.sponsorsListing`: the GitHub Sponsors listing for this user or organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `SponsorsListing`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `SponsorsListing`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, sponsors_listing={})


@async_task()
async def query_organization_members_with_role(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.membersWithRole`: a list of users who are members of this organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `OrganizationMemberConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `OrganizationMemberConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        members_with_role={"after": after, "before": before, "first": first, "last": last},
    )


@async_task()
async def query_organization_enterprise_owners(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    query: str | None = None,
    organization_role: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "LOGIN", "direction": "ASC"},
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.enterpriseOwners`: a list of owners of the organization's enterprise account.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        query: The search string to look for.
        organization_role: The organization role to filter by. One of `DIRECT_MEMBER`, `OWNER`, `UNAFFILIATED`.
        order_by: Ordering options for enterprise owners returned from the connection. Fields of
            OrgEnterpriseOwnerOrder: `direction`, `field`.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        return_fields: Fields of `OrganizationEnterpriseOwnerConnection`, in snake case or as GitHub spells them; see
            `configs` for the default.

    Returns:
        The fields of `OrganizationEnterpriseOwnerConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        enterprise_owners={
            "query": query,
            "organization_role": organization_role,
            "order_by": order_by,
            "after": after,
            "before": before,
            "first": first,
            "last": last,
        },
    )


@async_task()
async def query_organization_sponsors_activities(
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
    """Ask for `organization.sponsorsActivities`: events involving this sponsorable, such as new sponsorships.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_interaction_ability(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.interactionAbility`: the interaction ability settings for this organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `RepositoryInteractionAbility`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `RepositoryInteractionAbility`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, interaction_ability={})


@async_task()
async def query_organization_ip_allow_list_entries(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "ALLOW_LIST_VALUE", "direction": "ASC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.ipAllowListEntries`.

    The IP addresses that are allowed to access resources owned by the organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        order_by: Ordering options for IP allow list entries returned. Fields of IpAllowListEntryOrder: `direction`,
            `field`.
        return_fields: Fields of `IpAllowListEntryConnection`, in snake case or as GitHub spells them; see `configs` for
            the default.

    Returns:
        The fields of `IpAllowListEntryConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        ip_allow_list_entries={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_organization_repository_migrations(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    state: str | None = None,
    repository_name: str | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "ASC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.repositoryMigrations`: a list of all repository migrations for this organization.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        after: Returns the elements in the list that come after the specified cursor.
        before: Returns the elements in the list that come before the specified cursor.
        first: Returns the first _n_ elements from the list. 100 when neither this nor `last` is given.
        last: Returns the last _n_ elements from the list.
        state: Filter repository migrations by state. One of `FAILED`, `FAILED_VALIDATION`, `IN_PROGRESS`,
            `NOT_STARTED`, `PENDING_VALIDATION`, `QUEUED`, `SUCCEEDED`.
        repository_name: Filter repository migrations by repository name.
        order_by: Ordering options for repository migrations returned. Fields of RepositoryMigrationOrder: `direction`,
            `field`.
        return_fields: Fields of `RepositoryMigrationConnection`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `RepositoryMigrationConnection`, with GitHub's names as keys.
    """
    return await _query(
        github_credentials,
        return_fields,
        organization={"login": login},
        repository_migrations={
            "after": after,
            "before": before,
            "first": first,
            "last": last,
            "state": state,
            "repository_name": repository_name,
            "order_by": order_by,
        },
    )


@async_task()
async def query_organization_saml_identity_provider(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.samlIdentityProvider`.

    The Organization's SAML identity provider. Visible to (1) organization owners, (2) organization owners' personal
    access tokens (classic) with read:org or admin:org scope, (3) GitHub App with an installation token with read or
    write access to members.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `OrganizationIdentityProvider`, in snake case or as GitHub spells them; see `configs`
            for the default.

    Returns:
        The fields of `OrganizationIdentityProvider`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(github_credentials, return_fields, organization={"login": login}, saml_identity_provider={})


@async_task()
async def query_organization_repository_discussions(
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
    """Ask for `organization.repositoryDiscussions`: discussions this user has started.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_sponsorships_as_sponsor(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = None,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.sponsorshipsAsSponsor`: the sponsorships where this user or organization is the funder.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        sponsorships_as_sponsor={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_organization_sponsorship_newsletters(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    after: str | None = None,
    before: str | None = None,
    first: int | None = None,
    last: int | None = None,
    order_by: Mapping[str, Any] | None = {"field": "CREATED_AT", "direction": "DESC"},
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `organization.sponsorshipNewsletters`.

    List of sponsorship updates sent from this sponsorable to sponsors.

    Args:
        login: The organization's login.
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
        organization={"login": login},
        sponsorship_newsletters={"after": after, "before": before, "first": first, "last": last, "order_by": order_by},
    )


@async_task()
async def query_organization_sponsorships_as_maintainer(
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
    """Ask for `organization.sponsorshipsAsMaintainer`.

    The sponsorships where this user or organization is the maintainer receiving the funds.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_repository_discussion_comments(
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
    """Ask for `organization.repositoryDiscussionComments`: discussion comments this user has authored.

    Args:
        login: The organization's login.
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
        organization={"login": login},
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
async def query_organization_sponsorship_for_viewer_as_sponsor(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.sponsorshipForViewerAsSponsor`.

    The sponsorship from the viewer to this user/organization; that is, the sponsorship where you're the sponsor.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, organization={"login": login}, sponsorship_for_viewer_as_sponsor={}
    )


@async_task()
async def query_organization_sponsorship_for_viewer_as_sponsorable(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `organization.sponsorshipForViewerAsSponsorable`.

    The sponsorship from this user/organization to the viewer; that is, the sponsorship you're receiving.

    Args:
        login: The organization's login.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `Sponsorship`, in snake case or as GitHub spells them; see `configs` for the default.

    Returns:
        The fields of `Sponsorship`, with GitHub's names as keys; `None` when there is none.
    """
    return await _query(
        github_credentials, return_fields, organization={"login": login}, sponsorship_for_viewer_as_sponsorable={}
    )
