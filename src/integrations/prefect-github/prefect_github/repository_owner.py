# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.
"""Tasks that ask for the owner of repositories, be it a user or an organization."""

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
    "query_repository_owner",
    "query_repository_owner_repositories",
    "query_repository_owner_repository",
    "strip_kwargs",
]

config_path = Path(__file__).parent / "configs" / "query" / "repository_owner.json"
return_fields_defaults = initialize_return_fields_defaults(config_path)

_query = partial(query, return_fields_defaults)


@async_task()
async def query_repository_owner(
    login: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Ask for `repositoryOwner`.

    A repository owner (ie. either a User or an Organization) by login.

    Args:
        login: The username to lookup the owner by.
        github_credentials: Who asks, and which GitHub.
        return_fields: Fields of `RepositoryOwner`, in snake case or as GitHub spells them; see `configs` for the
            default.

    Returns:
        The fields of `RepositoryOwner`, with GitHub's names as keys.
    """
    return await _query(github_credentials, return_fields, repository_owner={"login": login})


@async_task()
async def query_repository_owner_repository(
    login: str,
    name: str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    follow_renames: bool | None = True,
    return_fields: Iterable[str] | None = None,
) -> dict[str, Any] | None:
    """Ask for `repositoryOwner.repository`: repository.

    Args:
        login: The username to lookup the owner by.
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
        repository_owner={"login": login},
        repository={"name": name, "follow_renames": follow_renames},
    )


@async_task()
async def query_repository_owner_repositories(
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
    """Ask for `repositoryOwner.repositories`: a list of repositories that the user owns.

    Args:
        login: The username to lookup the owner by.
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
        repository_owner={"login": login},
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
