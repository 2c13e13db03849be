"""Servers on this machine in the shape of Bitbucket's REST APIs: Cloud 2.0, and Data Center under `/rest/api/1.0`.

Credentials are of a kind, and are accepted in the form that the kind is documented for
(https://developer.atlassian.com/cloud/bitbucket/rest/intro/#authentication,
https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ._git.authorization import basic
from ._git.json_api import ApiCall, ApiRefusal, Json, JsonApi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ApiCall", "BitBucketApi", "BitBucketSecret"]

Kind = Literal["api", "access", "http", "project", "password", "app-password"]

_GONE = "App passwords are no longer accepted. Use an API token."


@dataclass(frozen=True)
class BitBucketSecret:
    """A token or password that the servers know.

    Attributes:
        value: What is secret.
        kind: An API token, an access token of a repository, project or workspace at Cloud, an HTTP access token of a
            user or of a project at a Data Center, a user's password there, or an app password.
        username: Its owner.
        email: The e-mail address of its owner.
    """

    value: str = field(repr=False)
    kind: Kind
    username: str = "ada"
    email: str = "ada@example.com"

    def git_authorizations(self) -> list[str]:
        """List what the git server accepts for it."""
        bearer = f"Bearer {self.value}"
        forms = {
            "api": [basic("x-bitbucket-api-token-auth", self.value), basic(self.username, self.value)],
            "access": [basic("x-token-auth", self.value), bearer],
            "http": [basic(self.username, self.value), bearer],
            "project": [basic("x-token-auth", self.value), bearer],
            "password": [basic(self.username, self.value)],
        }
        return forms.get(self.kind, [])

    def accepted_by_cloud(self) -> list[str]:
        """List the headers that the API of Cloud accepts for it."""
        forms = {"api": [basic(self.email, self.value)], "access": [f"Bearer {self.value}"]}
        return forms.get(self.kind, [])

    def accepted_by_data_center(self) -> list[str]:
        """List the headers that the API of a Data Center accepts for it."""
        bearer = [f"Bearer {self.value}"]
        forms = {"http": bearer, "project": bearer, "password": [basic(self.username, self.value)]}
        return forms.get(self.kind, [])


class BitBucketApi(JsonApi):
    """Both APIs of Bitbucket, on one port.

    Attributes:
        repositories: Slugs by workspace at Cloud, or by key of the project at a Data Center.
    """

    routes = (
        ("cloud_user", "GET", "/2.0/user"),
        ("cloud_workspace", "GET", "/2.0/workspaces/([^/]+)"),
        ("cloud_repositories", "GET", "/2.0/repositories/([^/]+)"),
        ("cloud_repository", "GET", "/2.0/repositories/([^/]+)/([^/]+)"),
        ("server_projects", "GET", "/rest/api/1.0/projects"),
        ("server_project", "GET", "/rest/api/1.0/projects/([^/]+)"),
        ("server_repositories", "GET", "/rest/api/1.0/projects/([^/]+)/repos"),
        ("server_repository", "GET", "/rest/api/1.0/projects/([^/]+)/repos/([^/]+)"),
    )

    def __init__(self, certificate: Any = None) -> None:
        """Start the thread that listens, on a free port.

        Args:
            certificate: For TLS.
        """
        self.repositories: dict[str, list[str]] = {}
        self.secrets: list[BitBucketSecret] = []
        super().__init__(certificate)

    def secret(self, value: str, kind: Kind, **owner: str) -> BitBucketSecret:
        """Make a token or password.

        Args:
            value: What is secret.
            kind: What it is.
            owner: `username` and `email`.
        """
        made = BitBucketSecret(value, kind, **owner)
        self.secrets.append(made)
        return made

    def git_authorizations(self) -> list[str]:
        """List what a git server accepts for these: `git_server.require(*bitbucket_api.git_authorizations())`."""
        return [each for secret in self.secrets for each in secret.git_authorizations()]

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self.repositories.clear()
        self.secrets.clear()

    def check_caller(self, call: ApiCall) -> None:
        """Refuse whom the API does not know."""
        given = call.headers.get("authorization")
        is_cloud = call.path.startswith("/2.0/")
        for secret in self.secrets:
            if given in (secret.accepted_by_cloud() if is_cloud else secret.accepted_by_data_center()):
                return
            if is_cloud and secret.kind == "app-password" and given == basic(secret.username, secret.value):
                raise ApiRefusal(401, _cloud_error(_GONE))
        if is_cloud:
            raise ApiRefusal(401, _cloud_error("Token is invalid, expired, or not supported for this endpoint."))
        message = "Authentication failed. Please check your credentials and try again."
        raise ApiRefusal(401, {"errors": [{"context": None, "message": message, "exceptionName": None}]})

    def answer(self, call: ApiCall) -> Any:
        """Do what is asked."""
        kind, _, what = call.method.partition("_")
        if what == "user":
            return {"type": "user", "username": "ada"}
        if what == "projects":
            return _server_page([self._server_project(key) for key in self.repositories])
        if call.parts[0] not in self.repositories:
            raise _missing(kind, call.parts[0])
        slugs = self.repositories[call.parts[0]]
        if what == "workspace":
            return {"type": "workspace", "slug": call.parts[0], "name": call.parts[0], "links": self._links(call)}
        if what == "project":
            return self._server_project(call.parts[0])
        if what == "repositories":
            found = [self._repository(kind, call.parts[0], slug) for slug in slugs]
            return {"values": found, "pagelen": 10, "size": len(found)} if kind == "cloud" else _server_page(found)
        if call.parts[1] not in slugs:
            raise _missing(kind, call.parts[1])
        return self._repository(kind, *call.parts)

    def _links(self, call: ApiCall) -> Json:
        return {"self": {"href": f"{self.endpoint}{call.path}"}}

    def _server_project(self, key: str) -> Json:
        links = {"self": [{"href": f"{self.endpoint}/projects/{key}"}]}
        return {"key": key, "id": 1, "name": key, "type": "NORMAL", "links": links}

    def _repository(self, kind: str, owner: str, slug: str) -> Json:
        if kind == "cloud":
            href = f"{self.endpoint}/2.0/repositories/{owner}/{slug}"
            full = f"{owner}/{slug}"
            return {
                "type": "repository",
                "slug": slug,
                "name": slug,
                "full_name": full,
                "links": {"self": {"href": href}},
            }
        clone = [{"href": f"{self.endpoint}/scm/{owner.lower()}/{slug}.git", "name": "http"}]
        links = {"clone": clone, "self": [{"href": f"{self.endpoint}/projects/{owner}/repos/{slug}/browse"}]}
        return {"slug": slug, "id": 1, "name": slug, "project": self._server_project(owner), "links": links}


def _cloud_error(message: str) -> Json:
    return {"type": "error", "error": {"message": message}}


def _missing(kind: str, name: str) -> ApiRefusal:
    if kind == "cloud":
        return ApiRefusal(404, _cloud_error(f"You may not have access to {name} or it no longer exists."))
    message = f"{name} does not exist."
    exception = "com.atlassian.bitbucket.project.NoSuchProjectException"
    return ApiRefusal(404, {"errors": [{"context": None, "message": message, "exceptionName": exception}]})


def _server_page(values: list[Json]) -> Json:
    return {"values": values, "size": len(values), "limit": 25, "start": 0, "isLastPage": True}


@pytest.fixture(scope="session")
def _bitbucket_api() -> Iterator[BitBucketApi]:
    with BitBucketApi() as api:
        yield api


@pytest.fixture
def bitbucket_api(_bitbucket_api: BitBucketApi) -> BitBucketApi:
    """A server in the shape of Bitbucket's APIs, without repositories and tokens."""
    _bitbucket_api.clear()
    return _bitbucket_api
