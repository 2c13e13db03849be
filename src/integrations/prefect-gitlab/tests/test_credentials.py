"""Each kind of token reaches GitLab as it wants it: in the address for git, in its own header for the API."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any
from unittest.mock import Mock, patch
from urllib.parse import unquote, urlsplit

import pytest
from gitlab import Gitlab
from gitlab.exceptions import GitlabAuthenticationError
from hypothesis import given
from hypothesis import strategies as st

from prefect_gitlab import GitLabCredentials, GitLabCredentialsError
from prefect_gitlab import credentials as module
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.gitlab_api import GitLabApi

URLS = (
    "https://gitlab.com/org/repo.git",
    "https://git.corp:8443/gitlab/org/repo.git",
    "http://127.0.0.1:8080/org/repo.git",
    "https://someone:old@gitlab.com/org/repo.git",
    "https://gitlab.com",
)


def _expected(url: str, login: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()


class TestAddresses:
    @pytest.mark.parametrize("url", URLS, ids=["cloud", "own-host", "http", "old-login", "host-alone"])
    @pytest.mark.parametrize(
        ("fields", "login"),
        [
            ({"token": "glpat-1"}, "oauth2:glpat-1"),
            ({"token": "oauth2:glpat-1"}, "oauth2:glpat-1"),
            ({"token": "deploy-user:gldt-1"}, "deploy-user:gldt-1"),
            ({"token": "gldt-1", "username": "deploy-user", "token_type": "deploy"}, "deploy-user:gldt-1"),
            ({"token": "j", "token_type": "job"}, "gitlab-ci-token:j"),
            ({"token": "p@ss/w%20rd"}, "oauth2:p%40ss%2Fw%2520rd"),
        ],
        ids=["personal", "prefixed", "deploy-in-one", "deploy", "job", "odd"],
    )
    def test_the_login_is_written_into_the_address(self, url: str, fields: dict[str, Any], login: str) -> None:
        written = GitLabCredentials(**fields).format_git_credentials(url)
        assert written == _expected(url, login)
        assert GitLabCredentials(**fields).format_git_credentials(written) == written

    def test_an_address_of_ssh_stays_as_it_is(self) -> None:
        for url in ("git@gitlab.com:org/repo.git", "ssh://git@git.corp:2222/org/repo.git"):
            assert GitLabCredentials(token="x").format_git_credentials(url) == url

    def test_without_a_token_there_is_nothing_to_write(self) -> None:
        with pytest.raises(ValueError, match=r"no token.*Set `token`") as caught:
            GitLabCredentials().format_git_credentials(URLS[0])
        assert isinstance(caught.value, GitLabCredentialsError)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1))
    def test_any_token_is_encoded_once(self, token: str) -> None:
        written = GitLabCredentials(token=token, username="u").format_git_credentials(URLS[0])
        parts = urlsplit(written)
        assert parts.hostname == "gitlab.com"
        assert parts.path == "/org/repo.git"
        assert unquote(parts.password or "", errors="strict") == token


class TestFields:
    def test_a_deploy_token_without_its_user_is_refused_by_name(self, canary: str, no_canary_leaks: Any) -> None:
        with pytest.raises(ValueError, match="username is missing") as caught:
            GitLabCredentials(token=canary, token_type="deploy")
        no_canary_leaks.add_error(caught.value)

    def test_an_unknown_kind_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match="token_type"):
            GitLabCredentials(token="x", token_type="session")  # pyright: ignore[reportArgumentType]

    @pytest.mark.parametrize("url", ["https://user:pw@git.corp", "https://git.corp/?x", "git corp"])
    def test_an_address_that_is_none_is_refused_without_being_said(self, url: str) -> None:
        with pytest.raises(ValueError, match="url is the address of the instance alone") as caught:
            GitLabCredentials(url=url)
        assert "pw" not in str(caught.value)

    def test_empty_fields_of_the_user_interface_mean_nothing_given(self) -> None:
        block = GitLabCredentials(token="x", username="", url="")
        assert (block.username, block.url) == ("oauth2", None)


class TestClient:
    @pytest.mark.parametrize("kind", ["personal", "project", "group", "oauth"])
    def test_each_token_goes_in_the_header_of_its_kind(self, kind: Any, gitlab_api: GitLabApi) -> None:
        gitlab_api.token("secret", kind)
        project = gitlab_api.project("shop/etl")
        client = GitLabCredentials(token="secret", token_type=kind, url=gitlab_api.endpoint).get_client()
        assert client.projects.get("shop/etl").id == project.id
        assert client.user is not None
        assert client.user.username == "ada"

    def test_who_asks_is_looked_up_once_and_only_if_somebody_wants_to_know(self, gitlab_api: GitLabApi) -> None:
        gitlab_api.token("secret")
        client = GitLabCredentials(token="secret", url=gitlab_api.endpoint).get_client()
        assert not gitlab_api.calls
        copied = pickle.loads(pickle.dumps(client))
        assert [each.user.username for each in (client, client, copied)] == ["ada", "ada", "ada"]
        assert len(gitlab_api.calls) == 2
        assert GitLabCredentials(url=gitlab_api.endpoint).get_client().user is None
        assert GitLabCredentials(token="j", token_type="job", url=gitlab_api.endpoint).get_client().user is None
        unknown = GitLabCredentials(token="other", url=gitlab_api.endpoint).get_client()
        with pytest.raises(GitlabAuthenticationError):
            _ = unknown.user

    def test_what_a_test_puts_in_the_place_of_the_sdk_logs_in_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = Mock()
        monkeypatch.setattr("gitlab.Gitlab", made)
        assert GitLabCredentials(token="secret").get_client() is made.return_value
        assert made.call_args.kwargs["private_token"] == "secret"
        made.return_value.auth.assert_called_once_with()

    def test_what_a_test_puts_in_the_place_of_the_class_here_is_asked_as_before(self) -> None:
        with patch("prefect_gitlab.credentials.Gitlab") as made:
            assert GitLabCredentials(token="secret", url="https://git.corp").get_client() is made.return_value
        made.assert_called_once_with(url="https://git.corp", oauth_token="secret")
        made.return_value.auth.assert_called_once_with()
        assert isinstance(GitLabCredentials(token="secret").get_client(), Gitlab)
        assert not hasattr(module, "Nothing")

    def test_the_client_is_ours_again_when_the_class_is_the_sdks(self) -> None:
        """In a process where the class was replaced when the client was asked for the first time."""
        program = (
            "from unittest.mock import patch\n"
            "import gitlab\n"
            "from prefect_gitlab import GitLabCredentials\n"
            "with patch('gitlab.Gitlab') as kind:\n"
            "    assert GitLabCredentials(token='x').get_client() is kind.return_value\n"
            "assert type(GitLabCredentials(token='x').get_client()).__mro__[1] is gitlab.Gitlab\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_the_prefix_of_a_token_is_not_sent_to_the_api(self, gitlab_api: GitLabApi) -> None:
        gitlab_api.token("glpat-1")
        gitlab_api.project("shop/etl")
        client = GitLabCredentials(token="oauth2:glpat-1", url=f"{gitlab_api.endpoint}/").get_client()
        assert client.projects.get("shop/etl").default_branch == "main"

    def test_a_job_token_goes_in_its_own_header(self) -> None:
        client = GitLabCredentials(token="j", token_type="job").get_client()
        assert (client.job_token, client.private_token, client.url) == ("j", None, "https://gitlab.com")

    @pytest.mark.parametrize(
        "fields",
        [{"token": "u:t"}, {"token": "t", "username": "u", "token_type": "deploy"}],
        ids=["in-one", "said"],
    )
    def test_a_deploy_token_is_refused_for_the_api(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="deploy token, which can pull repositories but not use the API"):
            GitLabCredentials(**fields).get_client()

    @pytest.mark.parametrize("token", ["{}\nx", "{} …"], ids=["line-break", "unicode"])
    def test_a_token_that_no_header_can_have_is_not_shown(self, token: str, canary: str, no_canary_leaks: Any) -> None:
        for kind in ("personal", "oauth", "job"):
            credentials = GitLabCredentials(token=token.format(canary), token_type=kind)
            with pytest.raises(GitLabCredentialsError, match="copied as a whole") as caught:
                credentials.get_client()
            no_canary_leaks.add_error(caught.value)

    def test_a_line_break_at_the_end_of_a_token_does_no_harm(self, gitlab_api: GitLabApi) -> None:
        gitlab_api.token("glpat-1")
        gitlab_api.project("shop/etl")
        client = GitLabCredentials(token="glpat-1\n", url=gitlab_api.endpoint).get_client()
        assert client.projects.get("shop/etl").default_branch == "main"

    def test_an_address_without_scheme_means_https(self) -> None:
        assert GitLabCredentials(url="git.corp").get_client().url == "https://git.corp"

    def test_http_and_unchecked_certificates_are_warned_of(self, caplog: pytest.LogCaptureFixture) -> None:
        GitLabCredentials(token="x", url="http://git.corp", verify=False).get_client()
        assert "go over http" in caplog.text or "goes over http" in caplog.text
        assert "is not checked" in caplog.text
        caplog.clear()
        GitLabCredentials(token="x", url="http://127.0.0.1:1").get_client()
        assert not caplog.text

    def test_a_private_authority_is_trusted_by_text_or_file(self, git_authority: PrivateCA) -> None:
        import requests

        certificate = git_authority.issue("gitlab-api", "127.0.0.1", "localhost")
        with GitLabApi(certificate) as api:
            api.token("x")
            api.project("shop/etl")
            for bundle in (git_authority.ca_file.read_text(), str(git_authority.ca_file)):
                client = GitLabCredentials(token="x", url=api.endpoint, ca_bundle=bundle).get_client()
                assert client.projects.get("shop/etl").default_branch == "main"
            assert GitLabCredentials(token="x", url=api.endpoint, verify=False).get_client().projects.get("shop/etl").id
            with pytest.raises(requests.exceptions.SSLError):
                GitLabCredentials(token="x", url=api.endpoint).get_client().projects.get("shop/etl")

    @pytest.mark.parametrize("bundle", ["/no/such/file.pem", "-----BEGIN CERTIFICATE-----\nx"], ids=["file", "text"])
    def test_a_bundle_that_cannot_be_read_is_told(self, bundle: str) -> None:
        with pytest.raises(ValueError, match=r"ca_bundle .*Give a PEM file"):
            GitLabCredentials(token="x", ca_bundle=bundle).get_client()
