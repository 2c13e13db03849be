"""A server on this machine in the shape of GitHub's API: GraphQL on GitHub's own public schema, and Apps.

Every operation is checked against the schema and refused as GitHub refuses it. Answers have the schema's shape: what a
test puts into `data`, and values that are made up for the rest. Apps sign in with their keys and get tokens for their
installations (https://docs.github.com/en/rest/apps/apps). Rate limits are told in each of GitHub's ways.

Its addresses are those of an Enterprise Server: `base_url` of credentials is `endpoint`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from ._call_faults import Fault
from ._git.authorization import basic
from ._git.json_api import ApiCall, ApiRefusal, Json, JsonApi
from ._github.apps import AppAtGitHub, Installation, app_of, key_pair, made_app
from ._github.schema import FieldError, Version, execute

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ApiCall",
    "AppAtGitHub",
    "FieldError",
    "GitHubApi",
    "GitHubToken",
    "Installation",
    "Operation",
    "another_key",
]

Limit = Literal["primary", "primary-403", "secondary", "secondary-429", "secondary-200"]

_REST = "(?:/api/v3)?"
_HOUR = 3600.0


@dataclass
class GitHubToken:
    """A token that the server knows.

    Attributes:
        value: The token.
        scopes: What it may, such as `repo` or `read:org`.
        login: Its owner.
        ends_at: When it ends, in seconds since 1970; `None` for never.
        permissions: What it may, if an App got it.
        repositories: What it is for, if an App got it.
    """

    value: str = field(repr=False)
    scopes: frozenset[str] = frozenset({"repo", "read:org"})
    login: str = "ada"
    ends_at: float | None = None
    permissions: dict[str, str] | None = None
    repositories: list[str] | None = None

    def git_authorizations(self) -> list[str]:
        """List what the git server accepts for it: the token as a password beside any name, or in place of one."""
        return [basic("x-access-token", self.value), basic(self.login, self.value), basic(self.value, "")]


@dataclass(frozen=True)
class Operation:
    """An operation that came.

    Attributes:
        document: As it was written.
        variables: Its variables.
        token: Who asked.
    """

    document: str
    variables: Json
    token: str = field(repr=False)


class GitHubApi(JsonApi):
    """GitHub's API.

    Attributes:
        data: What is there: a tree by names of fields, from `Query` or `Mutation` on. A value may be a function of the
            field's arguments, or a `FieldError`. What is not in it is made up.
        operations: Every operation that was executed, in order.
        scopes: Scopes that fields want, by `Type.field`.
        version: Of the schema.
        apps: All that there are.
        token_seconds: How long tokens of installations last.
        clock_error: Seconds by which the server's clock is ahead.
    """

    routes = (
        ("graphql", "POST", "(?:/api)?/graphql"),
        ("app", "GET", f"{_REST}/app"),
        ("installations", "GET", f"{_REST}/app/installations"),
        ("org_installation", "GET", f"{_REST}/orgs/([^/]+)/installation"),
        ("user_installation", "GET", f"{_REST}/users/([^/]+)/installation"),
        ("repo_installation", "GET", f"{_REST}/repos/([^/]+)/([^/]+)/installation"),
        ("access_token", "POST", rf"{_REST}/app/installations/(\d+)/access_tokens"),
    )

    def __init__(self, certificate: Any = None) -> None:
        """Start the thread that listens, on a free port.

        Args:
            certificate: For TLS.
        """
        self._numbers = itertools.count(1)
        self._forget()
        super().__init__(certificate)

    def _forget(self) -> None:
        self.data: Json = {}
        self.tokens: dict[str, GitHubToken] = {}
        self.operations: list[Operation] = []
        self.scopes: dict[str, str] = {}
        self.version: Version = "today"
        self.apps: list[AppAtGitHub] = []
        self.token_seconds = _HOUR
        self.clock_error = 0.0

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._forget()

    @property
    def now(self) -> float:
        """Time by the server's clock, in seconds since 1970."""
        return time.time() + self.clock_error

    # What a test puts there

    def token(self, value: str, *scopes: str, login: str = "ada") -> GitHubToken:
        """Make a token.

        Args:
            value: The token.
            scopes: What it may; `repo` and `read:org` if none is given.
            login: Its owner.
        """
        made = GitHubToken(value, frozenset(scopes or ("repo", "read:org")), login)
        self.tokens[value] = made
        return made

    def app(self) -> AppAtGitHub:
        """Make an App."""
        made = made_app()
        self.apps.append(made)
        return made

    def git_authorizations(self) -> list[str]:
        """List what a git server accepts for these tokens: `git_server.require(*github_api.git_authorizations())`."""
        return [each for token in self.tokens.values() for each in token.git_authorizations()]

    def limit(
        self,
        kind: Limit,
        *,
        seconds: float = 30.0,
        times: int | None = 1,
        method: str = "graphql",
        with_retry_after: bool = True,
        data: Json | None = None,
    ) -> None:
        """Let calls meet a rate limit, told as GitHub tells it.

        See https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api.

        Args:
            kind: `primary` answers 200 with an error of type `RATE_LIMITED`, `primary-403` as the REST API does; the
                others are secondary limits.
            seconds: How long it holds.
            times: How many calls meet it.
            method: Which.
            with_retry_after: Whether a secondary limit says how long it holds.
            data: What of the operation was done before.
        """
        headers = {"x-ratelimit-limit": "5000", "x-ratelimit-resource": "graphql"}
        secondary = {
            "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "documentation_url": "https://docs.github.com/graphql/using-the-rest-api/rate-limits-for-the-rest-api",
        }
        if kind.startswith("primary"):
            headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(self.now + seconds))}
            text = "API rate limit exceeded for user ID 1."
            status = 403 if kind == "primary-403" else 200
            error = {"type": "RATE_LIMITED", "message": text}
            body: Json = {"message": text} if status == 403 else {"data": data, "errors": [error]}
        else:
            headers |= {"x-ratelimit-remaining": "4321", "x-ratelimit-reset": str(int(self.now + _HOUR))}
            if with_retry_after:
                headers["Retry-After"] = str(int(seconds))
            status = {"secondary": 403, "secondary-429": 429, "secondary-200": 200}[kind]
            body = secondary if status != 200 else {"data": data, "errors": [secondary]}
        self.faults.add(Fault(method, ApiRefusal(status, body, headers), times))

    def spoil(self, answer: Json, *, times: int | None = 1, status: int = 200) -> None:
        """Let operations be answered with something else.

        Args:
            answer: What.
            times: How many.
            status: With which status.
        """
        self.faults.add(Fault("graphql", ApiRefusal(status, answer), times))

    # Who asks

    def extra_headers(self) -> Mapping[str, str]:
        """List headers that every answer has."""
        return {"x-github-request-id": f"C0DE:{len(self.calls)}"}

    def check_caller(self, call: ApiCall) -> None:
        """Refuse unknown and ended tokens, and Apps whose key or times are not right."""
        if not call.headers.get("user-agent"):
            raise ApiRefusal(403, {"message": "Request forbidden by administrative rules."})
        if call.method == "graphql":
            self._token_of(call)
        elif call.method:
            app_of(call.headers.get("authorization", ""), self.apps, self.now)

    def _token_of(self, call: ApiCall) -> GitHubToken:
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        if not value:
            raise ApiRefusal(401, {"message": "This endpoint requires you to be authenticated."})
        token = self.tokens.get(value) if scheme.lower() in ("bearer", "token") else None
        if token is None or (token.ends_at is not None and token.ends_at <= self.now):
            raise ApiRefusal(
                401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/graphql"}
            )
        return token

    # What is answered

    def answer(self, call: ApiCall) -> Any:
        """Do what is asked."""
        if call.method == "graphql":
            return self._graphql(call)
        app = app_of(call.headers.get("authorization", ""), self.apps, self.now)
        return getattr(self, f"_{call.method}")(call, app)

    def _graphql(self, call: ApiCall) -> Json:
        token = self._token_of(call)
        body = cast("Json", call.body) if isinstance(call.body, dict) else {}
        if not isinstance(body.get("query"), str):
            raise ApiRefusal(400, {"message": "A query attribute must be specified and must be a string."})
        self.operations.append(Operation(body["query"], body.get("variables") or {}, token.value))

        def guard(kind: str, name: str) -> None:
            scope = self.scopes.get(f"{kind}.{name}")
            if scope is not None and scope not in token.scopes:
                raise FieldError(
                    "INSUFFICIENT_SCOPES",
                    f"Your token has not been granted the required scopes to execute this query. The '{name}' field "
                    f"requires one of the following scopes: ['{scope}'], but your token has only been granted the: "
                    f"{sorted(token.scopes)} scopes.",
                )

        return execute(self.version, body, self.data, guard)

    def _app(self, _: ApiCall, app: AppAtGitHub) -> Json:
        return {"id": app.id, "client_id": app.client_id, "slug": f"app-{app.id}"}

    def _installations(self, _: ApiCall, app: AppAtGitHub) -> list[Json]:
        return [_shown(each) for each in app.installations]

    def _org_installation(self, call: ApiCall, app: AppAtGitHub) -> Json:
        return self._found(app, lambda each: each.is_organization and each.owner == call.parts[0])

    def _user_installation(self, call: ApiCall, app: AppAtGitHub) -> Json:
        return self._found(app, lambda each: not each.is_organization and each.owner == call.parts[0])

    def _repo_installation(self, call: ApiCall, app: AppAtGitHub) -> Json:
        return self._found(app, lambda each: each.owner == call.parts[0] and call.parts[1] in each.repositories)

    def _found(self, app: AppAtGitHub, is_wanted: Callable[[Installation], bool]) -> Json:
        for each in app.installations:
            if is_wanted(each):
                return _shown(each)
        raise ApiRefusal(404, {"message": "Not Found"})

    def _access_token(self, call: ApiCall, app: AppAtGitHub) -> Any:
        found = [each for each in app.installations if each.id == int(call.parts[0])]
        if not found:
            raise ApiRefusal(404, {"message": "Not Found"})
        installation = found[0]
        if installation.suspended:
            raise ApiRefusal(403, {"message": "This installation has been suspended"})
        body: Json = call.body or {}
        names = [str(name) for name in body.get("repositories", sorted(installation.repositories))]
        if not set(names) <= installation.repositories:
            text = "There is at least one repository that does not exist or is not accessible to the parent."
            raise ApiRefusal(422, {"message": text})
        permissions: dict[str, str] = body.get("permissions", installation.permissions)
        if not set(permissions) <= set(installation.permissions):
            raise ApiRefusal(422, {"message": "The permissions requested are not granted to this installation."})
        token = GitHubToken(
            f"ghs_{next(self._numbers):04d}installation{installation.id}",
            frozenset({"repo", "read:org"}),
            f"app-{app.id}[bot]",
            self.now + self.token_seconds,
            permissions,
            names,
        )
        self.tokens[token.value] = token
        ends = datetime.fromtimestamp(self.now + self.token_seconds, timezone.utc)
        return 201, {
            "token": token.value,
            "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "permissions": permissions,
            "repository_selection": "selected",
        }


def another_key() -> str:
    """Make a private key that no App has."""
    return key_pair(2)[0]


def _shown(installation: Installation) -> Json:
    return {
        "id": installation.id,
        "account": {"login": installation.owner},
        "target_type": "Organization" if installation.is_organization else "User",
        "suspended_at": "2026-01-02T03:04:05Z" if installation.suspended else None,
    }


@pytest.fixture(scope="session")
def _github_api() -> Iterator[GitHubApi]:
    with GitHubApi() as api:
        yield api


@pytest.fixture
def github_api(_github_api: GitHubApi) -> GitHubApi:
    """A server in the shape of GitHub's API, without tokens, Apps and data."""
    _github_api.clear()
    return _github_api
