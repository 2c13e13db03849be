"""The local server in the shape of GitHub's API refuses what GitHub would refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from prefect_integration_tests.backends.github_api import AppAtGitHub, FieldError, GitHubApi, Installation, another_key

ISSUES = '{ repository(owner: "shop", name: "etl") { issues(first: 2) { nodes { number state createdAt } } } }'


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


class TestGraphQL:
    @pytest.fixture(autouse=True)
    def _token(self, github_api: GitHubApi) -> None:
        github_api.token("ghp", "repo")

    def ask(self, http: httpx.Client, api: GitHubApi, document: str, token: str = "ghp", **variables: Any) -> Any:
        body = {"query": document, "variables": variables}
        headers = {"Authorization": f"Bearer {token}"}
        return http.post(f"{api.endpoint}/api/graphql", json=body, headers=headers)

    def test_answers_have_the_shape_of_the_schema(self, github_api: GitHubApi, http: httpx.Client) -> None:
        node = self.ask(http, github_api, ISSUES).json()["data"]["repository"]["issues"]["nodes"][0]
        assert node == {"number": 1, "state": "CLOSED", "createdAt": "2026-01-02T03:04:05Z"}

    def test_what_is_there_is_answered(self, github_api: GitHubApi, http: httpx.Client) -> None:
        github_api.data = {"repository": lambda name, **_: {"name": name, "issues": {"nodes": [{"number": 7}]}}}
        nodes = self.ask(http, github_api, ISSUES).json()["data"]["repository"]["issues"]["nodes"]
        assert [node["number"] for node in nodes] == [7]

    def test_what_failed_is_told_by_its_path(self, github_api: GitHubApi, http: httpx.Client) -> None:
        github_api.data = {"repository": FieldError("NOT_FOUND", "gone")}
        answer = self.ask(http, github_api, ISSUES).json()
        assert answer["data"] == {"repository": None}
        assert (answer["errors"][0]["type"], answer["errors"][0]["path"]) == ("NOT_FOUND", ["repository"])

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ("{ viewer { nope } }", "Cannot query field 'nope'"),
            ("{ viewer }", "must have a selection"),
            ("mutation { addStar { clientMutationId } }", "argument 'input'"),
            ("{ viewer", "Syntax Error"),
            ("{ viewer { issues { totalCount } } }", "must provide a `first` or `last`"),
            ("{ viewer { issues(first: 200) { totalCount } } }", "exceeds the `first` limit"),
        ],
    )
    def test_what_the_schema_does_not_have_is_refused(
        self, document: str, said: str, github_api: GitHubApi, http: httpx.Client
    ) -> None:
        answer = self.ask(http, github_api, document)
        assert answer.status_code == 200
        assert said in answer.json()["errors"][0]["message"]

    def test_what_was_removed_is_known_to_an_older_schema(self, github_api: GitHubApi, http: httpx.Client) -> None:
        document = '{ organization(login: "shop") { projectNext(number: 1) { id } } }'
        assert "errors" in self.ask(http, github_api, document).json()
        github_api.version = "2022"
        assert self.ask(http, github_api, document).json()["data"]["organization"]["projectNext"]

    def test_who_is_not_known_is_refused(self, github_api: GitHubApi, http: httpx.Client) -> None:
        assert self.ask(http, github_api, ISSUES, "other").status_code == 401
        github_api.tokens["ghp"].ends_at = github_api.now - 1
        assert self.ask(http, github_api, ISSUES).json()["message"] == "Bad credentials"
        assert http.post(f"{github_api.endpoint}/api/graphql", json={"query": ISSUES}).status_code == 401

    def test_a_scope_that_is_missing_is_told(self, github_api: GitHubApi, http: httpx.Client) -> None:
        github_api.scopes["Repository.issues"] = "read:project"
        assert self.ask(http, github_api, ISSUES).json()["errors"][0]["type"] == "INSUFFICIENT_SCOPES"

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("primary", 200), ("primary-403", 403), ("secondary", 403), ("secondary-429", 429), ("secondary-200", 200)],
    )
    def test_limits_are_told_in_each_way(
        self, kind: Any, status: int, github_api: GitHubApi, http: httpx.Client
    ) -> None:
        github_api.limit(kind, seconds=90)
        answer = self.ask(http, github_api, ISSUES)
        assert answer.status_code == status
        assert "rate limit" in answer.text
        waits = answer.headers.get("Retry-After") or float(answer.headers["x-ratelimit-reset"]) - github_api.now
        assert 60 < float(waits) <= 90
        assert "data" in self.ask(http, github_api, ISSUES).json()


class TestApps:
    @pytest.fixture
    def app(self, github_api: GitHubApi) -> AppAtGitHub:
        return github_api.app()

    @pytest.fixture
    def installation(self, app: AppAtGitHub) -> Installation:
        return app.install("shop")

    def ask(
        self,
        http: httpx.Client,
        api: GitHubApi,
        app: AppAtGitHub,
        path: str = "/app",
        body: Any = None,
        *,
        key: str = "",
        **claims: Any,
    ) -> httpx.Response:
        now = int(time.time())
        said = {"iat": now - 60, "exp": now + 300, "iss": str(app.id), **claims}
        signed = jwt.encode(said, key or app.private_key, "RS256")
        verb = "POST" if path.endswith("access_tokens") else "GET"
        headers = {"Authorization": f"Bearer {signed}"}
        return http.request(verb, f"{api.endpoint}/api/v3{path}", json=body, headers=headers)

    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({}, 200),
            ({"iat": 60}, 401),
            ({"exp": 700}, 401),
            ({"exp": -1}, 401),
            ({"iss": "999"}, 404),
        ],
        ids=["right", "from-the-future", "too-long", "ended", "unknown"],
    )
    def test_the_times_of_a_signature_are_looked_at(
        self, claims: dict[str, Any], status: int, github_api: GitHubApi, app: AppAtGitHub, http: httpx.Client
    ) -> None:
        given = {name: value if name == "iss" else int(time.time()) + value for name, value in claims.items()}
        assert self.ask(http, github_api, app, **given).status_code == status

    def test_the_signature_is_checked(self, github_api: GitHubApi, app: AppAtGitHub, http: httpx.Client) -> None:
        assert self.ask(http, github_api, app, key=another_key()).status_code == 401
        assert http.get(f"{github_api.endpoint}/api/v3/app").status_code == 401

    def test_an_installation_is_found_and_gets_a_token(
        self, github_api: GitHubApi, app: AppAtGitHub, installation: Installation, http: httpx.Client
    ) -> None:
        for path in ("/orgs/shop/installation", "/repos/shop/etl/installation"):
            assert self.ask(http, github_api, app, path).json()["id"] == installation.id
        for path in ("/orgs/other/installation", "/users/shop/installation", "/repos/shop/gone/installation"):
            assert self.ask(http, github_api, app, path).status_code == 404
        path = f"/app/installations/{installation.id}/access_tokens"
        answer = self.ask(http, github_api, app, path)
        assert answer.status_code == 201
        assert answer.json()["token"] in github_api.tokens
        assert self.ask(http, github_api, app, path, {"repositories": ["gone"]}).status_code == 422
        installation.suspended = True
        assert self.ask(http, github_api, app, path).status_code == 403
