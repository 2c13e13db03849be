"""The local servers in the shape of GitLab's and Bitbucket's APIs refuse what those would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_integration_tests.backends.bitbucket_api import BitBucketApi
from prefect_integration_tests.backends.git_server import basic
from prefect_integration_tests.backends.gitlab_api import GitLabApi, ProjectAtGitLab

PROJECT = "/api/v4/projects/shop%2Fetl"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


class TestGitLab:
    @pytest.fixture
    def project(self, gitlab_api: GitLabApi) -> ProjectAtGitLab:
        gitlab_api.token("glpat", "personal", username="grace")
        return gitlab_api.project("shop/etl", merge_requests={7}, branches={"main", "v1"})

    def ask(
        self, http: httpx.Client, api: GitLabApi, verb: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in (headers or {"private_token": "glpat"}).items()}
        return http.request(verb, f"{api.endpoint}{path}", json=body, headers=sent)

    @pytest.mark.parametrize(
        ("kind", "header", "status"),
        [
            ("personal", "private_token", 200),
            ("project", "private_token", 200),
            ("group", "private_token", 200),
            ("personal", "bearer", 200),
            ("oauth", "bearer", 200),
            ("oauth", "private_token", 401),
            ("deploy", "private_token", 401),
            ("deploy", "bearer", 401),
            ("job", "private_token", 401),
            ("job", "job_token", 403),
            ("personal", "job_token", 401),
        ],
    )
    def test_each_token_goes_in_the_header_of_its_kind(
        self, kind: Any, header: str, status: int, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        gitlab_api.token("secret", kind)
        sent = {"authorization": "Bearer secret"} if header == "bearer" else {header: "secret"}
        assert self.ask(http, gitlab_api, "GET", PROJECT, **sent).status_code == status

    @pytest.mark.parametrize(
        ("scopes", "reads", "writes"),
        [(("api",), 200, 201), (("read_api",), 200, 403), (("read_repository",), 403, 403)],
        ids=["api", "read_api", "read_repository"],
    )
    def test_a_scope_is_what_a_token_may(
        self,
        scopes: tuple[str, ...],
        reads: int,
        writes: int,
        gitlab_api: GitLabApi,
        project: ProjectAtGitLab,
        http: httpx.Client,
    ) -> None:
        gitlab_api.token("scoped", "personal", *scopes)
        assert self.ask(http, gitlab_api, "GET", PROJECT, private_token="scoped").status_code == reads
        made = self.ask(http, gitlab_api, "POST", f"{PROJECT}/issues", {"title": "t"}, private_token="scoped")
        assert made.status_code == writes
        assert len(project.issues) == (writes == 201)
        if writes == 403:
            assert made.json()["error"] == "insufficient_scope"

    def test_who_says_nothing_is_shown_nothing(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        """A project that is not public is not said to be there."""
        assert self.ask(http, gitlab_api, "GET", PROJECT, accept="*/*").json() == {"message": "404 Project Not Found"}
        assert self.ask(http, gitlab_api, "GET", "/api/v4/user", accept="*/*").status_code == 401

    def test_a_project_is_found_by_its_path_in_one_part_or_its_number(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        for name in ("shop%2Fetl", str(project.id)):
            assert self.ask(http, gitlab_api, "GET", f"/api/v4/projects/{name}").json()["id"] == project.id
        for name in ("shop/etl", "shop%2Fother", "999999"):
            assert self.ask(http, gitlab_api, "GET", f"/api/v4/projects/{name}").status_code == 404

    @pytest.mark.parametrize(
        ("path", "body", "said"),
        [
            ("pipeline", None, "body is missing"),
            ("pipeline", {}, "ref is missing"),
            ("pipeline", {"ref": "gone"}, "Reference not found"),
            ("pipeline", {"ref": "main", "branch": "x"}, "branch is not known"),
            ("pipeline", {"ref": "main", "variables": {"A": "1"}}, "variables is invalid"),
            ("pipeline", {"ref": "main", "variables": [{"key": "A"}]}, "value is missing"),
            ("pipeline", {"ref": "main", "variables": [{"key": "A", "value": 1}]}, "value is invalid"),
            ("merge_requests/7/notes", {"body": 1}, "body is invalid"),
            ("merge_requests/7/notes", {"text": "x"}, "body is missing"),
            ("issues", {"title": "t", "labels": ["a"]}, "labels is invalid"),
            ("issues", {"title": "t", "weight": True}, "weight is invalid"),
            ("issues", {"description": "d"}, "title is missing"),
        ],
    )
    def test_a_body_that_gitlab_would_not_take_is_refused_by_the_field(
        self, path: str, body: Any, said: str, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        answer = self.ask(http, gitlab_api, "POST", f"{PROJECT}/{path}", body)
        assert answer.status_code == 400
        assert said in answer.text
        assert (project.pipelines, project.notes, project.issues) == ({}, [], [])

    @pytest.mark.parametrize(
        "path", ["merge_requests/8/notes", "pipelines/1/cancel", "nothing", "merge_requests/x/notes"]
    )
    def test_what_is_not_there_is_told(
        self, path: str, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        assert self.ask(http, gitlab_api, "POST", f"{PROJECT}/{path}", {"body": "b"}).status_code == 404

    def test_a_job_triggers_with_its_token_in_the_body_where_it_is_allowed(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        gitlab_api.token("job", "job")
        path = f"{PROJECT}/trigger/pipeline"
        made = self.ask(http, gitlab_api, "POST", path, {"ref": "v1", "token": "job", "variables": {"A": "1"}})
        assert (made.status_code, made.json()["source"]) == (201, "pipeline")
        assert self.ask(http, gitlab_api, "POST", path, {"ref": "v1", "token": "glpat"}).status_code == 404
        assert self.ask(http, gitlab_api, "POST", path, {"ref": "v1"}).status_code == 400
        wrong = {"ref": "v1", "token": "job", "variables": {"A": 1}}
        assert self.ask(http, gitlab_api, "POST", path, wrong).status_code == 400
        project.job_allowlist = False
        assert self.ask(http, gitlab_api, "POST", path, {"ref": "v1", "token": "job"}).status_code == 404
        assert len(project.pipelines) == 1

    def test_a_pipeline_goes_on_at_each_look_and_stays_cancelled(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        project.play, project.hidden_looks = ["created", "running", "success"], 1
        made = self.ask(http, gitlab_api, "POST", f"{PROJECT}/pipeline", {"ref": "main"}).json()
        looks = [self.ask(http, gitlab_api, "GET", f"{PROJECT}/pipelines/{made['id']}") for _ in range(4)]
        assert [look.status_code for look in looks] == [404, 200, 200, 200]
        assert [look.json()["status"] for look in looks[1:]] == ["running", "success", "success"]
        other = self.ask(http, gitlab_api, "POST", f"{PROJECT}/pipeline", {"ref": "main"}).json()["id"]
        assert self.ask(http, gitlab_api, "POST", f"{PROJECT}/pipelines/{other}/cancel").json()["status"] == "canceled"
        project.pipelines[other]["_hidden"] = 0
        assert self.ask(http, gitlab_api, "GET", f"{PROJECT}/pipelines/{other}").json()["status"] == "canceled"
        assert [each["id"] for each in self.ask(http, gitlab_api, "GET", f"{PROJECT}/pipelines").json()] == [
            made["id"],
            other,
        ]

    def test_what_git_accepts_follows_kind_and_scope(self, gitlab_api: GitLabApi) -> None:
        gitlab_api.token("p", "personal", "read_repository", username="ada")
        gitlab_api.token("d", "deploy", "read_repository", username="gitlab+deploy-token-7")
        gitlab_api.token("j", "job")
        gitlab_api.token("o", "oauth")
        gitlab_api.token("weak", "personal", "read_api")
        assert gitlab_api.git_authorizations() == [
            basic("oauth2", "p"),
            basic("ada", "p"),
            basic("gitlab+deploy-token-7", "d"),
            basic("gitlab-ci-token", "j"),
            basic("oauth2", "o"),
        ]

    @pytest.mark.parametrize("when", ["before", "after", "lost", "cut", "garbled"])
    def test_a_fault_meets_the_call_that_it_is_for(
        self, when: Any, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        gitlab_api.fail("create_issue", 502, when=when, headers={"Retry-After": "7"})
        assert self.ask(http, gitlab_api, "GET", PROJECT).status_code == 200
        if when in ("lost", "cut"):
            with pytest.raises(httpx.TransportError):
                self.ask(http, gitlab_api, "POST", f"{PROJECT}/issues", {"title": "t"})
        else:
            answer = self.ask(http, gitlab_api, "POST", f"{PROJECT}/issues", {"title": "t"})
            if when == "garbled":
                assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
            else:
                assert (answer.status_code, answer.headers["retry-after"]) == (502, "7")
        assert len(project.issues) == (when in ("after", "lost"))
        assert self.ask(http, gitlab_api, "POST", f"{PROJECT}/issues", {"title": "t"}).status_code == 201
        assert [call.method for call in gitlab_api.calls] == ["project", "create_issue", "create_issue"]

    def test_what_is_no_json_is_refused(
        self, gitlab_api: GitLabApi, project: ProjectAtGitLab, http: httpx.Client
    ) -> None:
        url = f"{gitlab_api.endpoint}{PROJECT}/issues"
        assert http.post(url, content=b"{", headers={"private-token": "glpat"}).status_code == 400

    def test_nothing_is_left_for_the_next_test(self, gitlab_api: GitLabApi, project: ProjectAtGitLab) -> None:
        gitlab_api.fail()
        gitlab_api.clear()
        assert (gitlab_api.projects, gitlab_api.tokens, gitlab_api.calls) == ([], {}, [])
        assert gitlab_api.faults.pending == 0


class TestBitBucket:
    @pytest.fixture
    def api(self, bitbucket_api: BitBucketApi) -> BitBucketApi:
        bitbucket_api.repositories["SHOP"] = ["etl"]
        return bitbucket_api

    CLOUD, SERVER = "/2.0/repositories/SHOP/etl", "/rest/api/1.0/projects/SHOP/repos/etl"

    @pytest.mark.parametrize(
        ("kind", "header", "cloud", "server"),
        [
            ("api", basic("ada@example.com", "s"), 200, 401),
            ("api", basic("ada", "s"), 401, 401),
            ("api", basic("x-bitbucket-api-token-auth", "s"), 401, 401),
            ("api", "Bearer s", 401, 401),
            ("access", "Bearer s", 200, 401),
            ("access", basic("x-token-auth", "s"), 401, 401),
            ("http", "Bearer s", 401, 200),
            ("project", "Bearer s", 401, 200),
            ("password", basic("ada", "s"), 401, 200),
            ("password", "Bearer s", 401, 401),
            ("app-password", basic("ada", "s"), 401, 401),
            ("access", "Bearer other", 401, 401),
        ],
    )
    def test_each_secret_is_taken_in_the_form_of_its_kind_by_the_api_that_knows_it(
        self, kind: Any, header: str, cloud: int, server: int, api: BitBucketApi, http: httpx.Client
    ) -> None:
        api.secret("s", kind)
        headers = {"authorization": header}
        assert http.get(f"{api.endpoint}{self.CLOUD}", headers=headers).status_code == cloud
        assert http.get(f"{api.endpoint}{self.SERVER}", headers=headers).status_code == server

    def test_nobody_is_shown_nothing(self, api: BitBucketApi, http: httpx.Client) -> None:
        assert http.get(f"{api.endpoint}{self.CLOUD}").json()["type"] == "error"
        assert "Authentication failed" in http.get(f"{api.endpoint}{self.SERVER}").json()["errors"][0]["message"]

    def test_an_app_password_is_told_what_has_taken_its_place(self, api: BitBucketApi, http: httpx.Client) -> None:
        api.secret("s", "app-password")
        answer = http.get(f"{api.endpoint}{self.CLOUD}", headers={"authorization": basic("ada", "s")})
        assert "API token" in answer.json()["error"]["message"]
        assert api.git_authorizations() == []

    @pytest.mark.parametrize("prefix", ["/2.0/repositories/", "/rest/api/1.0/projects/"], ids=["cloud", "server"])
    @pytest.mark.parametrize("name", ["GONE", "SHOP/gone"])
    def test_what_is_not_there_is_told_as_each_api_tells_it(
        self, prefix: str, name: str, api: BitBucketApi, http: httpx.Client
    ) -> None:
        is_cloud = prefix.startswith("/2.0")
        api.secret("s", "access" if is_cloud else "http")
        path = prefix + (name if is_cloud else name.replace("/", "/repos/"))
        answer = http.get(f"{api.endpoint}{path}", headers={"authorization": "Bearer s"})
        assert answer.status_code == 404
        assert set(answer.json()) == ({"type", "error"} if is_cloud else {"errors"})

    def test_an_address_that_is_none_is_refused(self, api: BitBucketApi, http: httpx.Client) -> None:
        api.secret("s", "access")
        headers = {"authorization": "Bearer s"}
        assert http.get(f"{api.endpoint}/2.0/nothing", headers=headers).status_code == 404
        assert http.post(f"{api.endpoint}{self.CLOUD}", headers=headers).status_code == 404

    def test_lists_are_those_of_each_api(self, api: BitBucketApi, http: httpx.Client) -> None:
        api.secret("s", "access")
        api.secret("t", "http")
        cloud = http.get(f"{api.endpoint}/2.0/repositories/SHOP", headers={"authorization": "Bearer s"}).json()
        assert [each["full_name"] for each in cloud["values"]] == ["SHOP/etl"]
        headers = {"authorization": "Bearer t"}
        server = http.get(f"{api.endpoint}/rest/api/1.0/projects/SHOP/repos", headers=headers).json()
        assert ([each["slug"] for each in server["values"]], server["isLastPage"]) == (["etl"], True)
        projects = http.get(f"{api.endpoint}/rest/api/1.0/projects", headers=headers).json()
        assert [each["key"] for each in projects["values"]] == ["SHOP"]

    def test_what_git_accepts_follows_the_kind(self, api: BitBucketApi) -> None:
        for kind in ("api", "access", "http", "project", "password"):
            api.secret(kind, kind)
        assert api.git_authorizations() == [
            basic("x-bitbucket-api-token-auth", "api"),
            basic("ada", "api"),
            basic("x-token-auth", "access"),
            "Bearer access",
            basic("ada", "http"),
            "Bearer http",
            basic("x-token-auth", "project"),
            "Bearer project",
            basic("ada", "password"),
        ]
