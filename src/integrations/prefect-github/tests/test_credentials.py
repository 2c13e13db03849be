"""Tokens reach GitHub as it wants them, at each of its hosts: in the address for git, in a header for the API."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_github import GitHubCertificateError, GitHubCredentials, GitHubCredentialsError
from prefect_github._hosts import server_of
from prefect_github._login import git_auth
from prefect_github.graphql import aexecute_graphql, execute_graphql
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.github_api import GitHubApi

VIEWER = "{ viewer { login } }"


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "written"),
        [
            ("https://github.com/org/repo.git", "https://ghp_1@github.com/org/repo.git"),
            ("https://git.corp:8443/org/repo.git", "https://ghp_1@git.corp:8443/org/repo.git"),
            ("http://127.0.0.1:80/org/repo.git", "http://ghp_1@127.0.0.1:80/org/repo.git"),
            ("https://ada:old@github.com/org/repo.git", "https://ghp_1@github.com/org/repo.git"),
            ("https://github.com", "https://ghp_1@github.com"),
            ("git@github.com:org/repo.git", "git@github.com:org/repo.git"),
            ("ssh://git@github.com/org/repo.git", "ssh://git@github.com/org/repo.git"),
        ],
        ids=["cloud", "own-host", "http", "old-login", "host-alone", "scp", "ssh"],
    )
    def test_the_token_is_written_into_the_address(self, url: str, written: str) -> None:
        block = GitHubCredentials(token="ghp_1")
        assert block.format_git_credentials(url) == written
        assert block.format_git_credentials(written) == written

    def test_a_user_name_before_the_token_stays_one(self, github_api: GitHubApi) -> None:
        """As in the addresses that GitHub documents for Apps and workflows."""
        block = GitHubCredentials(token="x-access-token:ghs_1", base_url=github_api.endpoint)
        written = "https://x-access-token:ghs_1@github.com/org/repo.git"
        assert block.format_git_credentials("https://github.com/org/repo.git") == written
        assert block.format_git_credentials(written) == written
        auth = git_auth(block)
        assert auth is not None
        assert auth.header == f"Basic {b64encode(b'x-access-token:ghs_1').decode()}"
        assert block.get_client().base_headers["Authorization"] == "Bearer ghs_1"

    def test_without_a_token_there_is_nothing_to_write(self) -> None:
        with pytest.raises(ValueError, match=r"no token.*Set `token`") as caught:
            GitHubCredentials().format_git_credentials("https://github.com/a/b")
        assert isinstance(caught.value, GitHubCredentialsError)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1))
    def test_any_token_is_encoded_once(self, token: str) -> None:
        parts = urlsplit(GitHubCredentials(token=token).format_git_credentials("https://github.com/a/b"))
        assert (parts.hostname, parts.path) == ("github.com", "/a/b")
        login = [unquote(each, errors="strict") for each in (parts.username, parts.password) if each]
        assert ":".join(login) == token


HOSTS = {
    None: ("https://api.github.com/graphql", "https://api.github.com"),
    "": ("https://api.github.com/graphql", "https://api.github.com"),
    "https://github.com/": ("https://api.github.com/graphql", "https://api.github.com"),
    "https://api.github.com": ("https://api.github.com/graphql", "https://api.github.com"),
    "https://api.github.com/graphql": ("https://api.github.com/graphql", "https://api.github.com"),
    "https://shop.ghe.com": ("https://api.shop.ghe.com/graphql", "https://api.shop.ghe.com"),
    "https://api.shop.ghe.com/": ("https://api.shop.ghe.com/graphql", "https://api.shop.ghe.com"),
    "https://git.corp": ("https://git.corp/api/graphql", "https://git.corp/api/v3"),
    "git.corp": ("https://git.corp/api/graphql", "https://git.corp/api/v3"),
    "https://git.corp:8443/api/v3": ("https://git.corp:8443/api/graphql", "https://git.corp:8443/api/v3"),
    "https://git.corp/api/graphql": ("https://git.corp/api/graphql", "https://git.corp/api/v3"),
    "http://127.0.0.1:80": ("http://127.0.0.1:80/api/graphql", "http://127.0.0.1:80/api/v3"),
}


class TestHosts:
    @pytest.mark.parametrize("base_url", HOSTS, ids=[str(host).replace("/", "-") for host in HOSTS])
    def test_the_apis_of_each_github_are_known(self, base_url: str | None) -> None:
        server = server_of(GitHubCredentials(base_url=base_url).base_url)
        assert (server.graphql, server.rest) == HOSTS[base_url]

    @pytest.mark.parametrize(
        "base_url",
        ["https://user:pw@git.corp", "https://git.corp/?x=pw", "ftp://pw.corp", "https://git.corp/org/pw", "https://"],
    )
    def test_an_address_that_is_none_is_refused_without_being_said(self, base_url: str) -> None:
        with pytest.raises(ValueError, match="base_url, the address of the server alone") as caught:
            GitHubCredentials(base_url=base_url)
        assert "pw" not in str(caught.value)

    def test_http_and_unchecked_certificates_are_warned_of(
        self, github_api: GitHubApi, credentials: GitHubCredentials, caplog: pytest.LogCaptureFixture
    ) -> None:
        execute_graphql.fn(VIEWER, credentials)
        assert not [record for record in caplog.records if record.levelname == "WARNING"]
        execute_graphql.fn(VIEWER, credentials.model_copy(update={"verify": False}))
        assert "is not checked" in caplog.text

    async def test_a_private_authority_is_trusted_by_text_or_file(self, git_authority: PrivateCA) -> None:
        certificate = git_authority.issue("github-api", "127.0.0.1", "localhost")
        with GitHubApi(certificate) as api:
            api.token("x")
            options: list[dict[str, Any]] = [
                {"ca_bundle": git_authority.ca_file.read_text()},
                {"ca_bundle": str(git_authority.ca_file)},
                {"verify": False},
            ]
            for fields in options:
                block = GitHubCredentials(token="x", base_url=api.endpoint, **fields)
                assert (await aexecute_graphql.fn(VIEWER, block))["viewer"]
                assert execute_graphql.fn(VIEWER, block)["viewer"]
                assert block.get_client()(VIEWER)["data"]["viewer"]

    async def test_an_unknown_certificate_is_told_at_once(self, git_authority: PrivateCA) -> None:
        with GitHubApi(git_authority.issue("github-api", "127.0.0.1")) as api:
            block = GitHubCredentials(token="x", base_url=api.endpoint)
            with pytest.raises(GitHubCertificateError, match=r"CERTIFICATE_VERIFY_FAILED.*set `ca_bundle`"):
                await aexecute_graphql.fn(VIEWER, block)
            with pytest.raises(GitHubCertificateError):
                execute_graphql.fn(VIEWER, block)

    @pytest.mark.parametrize("bundle", ["/no/such/file.pem", "-----BEGIN CERTIFICATE-----\nx"], ids=["file", "text"])
    def test_a_bundle_that_cannot_be_read_is_told(self, bundle: str) -> None:
        block = GitHubCredentials(token="x", ca_bundle=bundle)
        for use in (block.get_client, lambda: execute_graphql.fn(VIEWER, block)):
            with pytest.raises(ValueError, match=r"ca_bundle .*Give a PEM file"):
                use()


class TestClient:
    def test_it_is_an_endpoint_of_sgqlc(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        from sgqlc.endpoint.http import HTTPEndpoint

        client = credentials.get_client()
        assert isinstance(client, HTTPEndpoint)
        assert client.url == f"{github_api.endpoint}/api/graphql"
        github_api.data = {"repository": lambda owner, **_: {"name": owner}}
        document = 'query($owner: String!) { repository(owner: $owner, name: "b") { name } }'
        assert client(document, {"owner": "shop"})["data"] == {"repository": {"name": "shop"}}

    def test_errors_are_data_of_its_answer(self, credentials: GitHubCredentials) -> None:
        assert "nope" in credentials.get_client()("{ viewer { nope } }")["errors"][0]["message"]

    def test_it_does_not_show_its_token(self, credentials: GitHubCredentials) -> None:
        client = credentials.get_client()
        assert "ghp_shop" not in f"{client} {client!r}"

    def test_its_token_goes_to_no_other_host(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        with GitHubApi() as elsewhere:
            github_api.faults.clear()
            github_api.fail("graphql", 302, headers={"Location": f"{elsewhere.endpoint}/api/graphql"})
            assert credentials.get_client()(VIEWER)["errors"]
            assert not elsewhere.calls


@pytest.mark.parametrize("token", ["ghp_\n1", "ghp_ü"], ids=["line-break", "umlaut"])
def test_a_token_that_no_header_can_have_is_told_without_being_said(
    token: str, github_api: GitHubApi, no_canary_leaks: Any, canary: str
) -> None:
    block = GitHubCredentials(token=f"{canary}{token}", base_url=github_api.endpoint)
    with pytest.raises(GitHubCredentialsError, match="copied as a whole") as caught:
        execute_graphql.fn(VIEWER, block)
    no_canary_leaks.add_error(caught.value)
    assert not github_api.calls
