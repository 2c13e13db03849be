"""A GitHub App signs in: its tokens are made when needed, kept, renewed before they end, and shared."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from prefect_github import (
    GitHubAccessDenied,
    GitHubAppCredentials,
    GitHubAuthenticationFailed,
    GitHubCredentialsError,
    GitHubInvalidRequest,
    GitHubNotFound,
    GitHubUnavailable,
)
from prefect_github.graphql import aexecute_graphql, execute_graphql
from prefect_integration_tests.backends.faults import closed_port
from prefect_integration_tests.backends.github_api import AppAtGitHub, GitHubApi, another_key
from prefect_integration_tests.clock import FakeClock

VIEWER = "{ viewer { login } }"


def made(github_api: GitHubApi) -> int:
    """Count the tokens that were made."""
    return len([call for call in github_api.called("access_token") if call.status == 201])


class TestTokens:
    async def test_a_token_is_made_once_and_used_for_the_api(
        self, call: Any, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        token = (await call(app_credentials, "get_token")).get_secret_value()
        for _ in range(3):
            await aexecute_graphql.fn(VIEWER, app_credentials)
        execute_graphql.fn(VIEWER, app_credentials)
        assert {operation.token for operation in github_api.operations} == {token}
        assert made(github_api) == 1

    def test_equal_credentials_share_a_token(
        self, github_api: GitHubApi, app: AppAtGitHub, app_credentials: GitHubAppCredentials
    ) -> None:
        again = GitHubAppCredentials.model_validate(app_credentials.model_dump())
        other = app_credentials.model_copy(update={"repositories": ["etl"]})
        tokens = [block.get_token() for block in (app_credentials, again, other)]
        assert tokens[0] == tokens[1] != tokens[2]
        assert made(github_api) == 2

    @pytest.mark.parametrize(("seconds", "number"), [(290, 2), (330, 1)], ids=["ends-in-time", "lasts"])
    def test_a_token_is_renewed_five_minutes_before_it_ends(
        self, seconds: float, number: int, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        github_api.token_seconds = seconds
        first, second = (app_credentials.get_token() for _ in range(2))
        assert (first == second) is (number == 1)
        assert made(github_api) == number

    @pytest.mark.parametrize("error", [-3000.0, 3000.0], ids=["behind", "ahead"])
    def test_a_clock_that_is_wrong_does_no_harm(
        self, error: float, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        github_api.clock_error = error
        assert app_credentials.get_token() == app_credentials.get_token()
        assert made(github_api) == 1

    def test_threads_make_one_token_together(
        self, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            tokens = {token.get_secret_value() for token in pool.map(lambda _: app_credentials.get_token(), range(32))}
        assert len(tokens) == made(github_api) == 1

    async def test_coroutines_make_one_token_together(
        self, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        tokens = await asyncio.gather(*(app_credentials.aget_token() for _ in range(32)))
        assert len({token.get_secret_value() for token in tokens}) == made(github_api) == 1

    @pytest.mark.parametrize("document", [VIEWER, "mutation { addStar(input: {starrableId: 1}) { clientMutationId } }"])
    async def test_a_token_that_was_revoked_is_replaced(
        self, document: str, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        """Nothing was done with it, so that a mutation may be sent again, too."""
        github_api.tokens.pop((await app_credentials.aget_token()).get_secret_value())
        await aexecute_graphql.fn(document, app_credentials)
        github_api.tokens.clear()
        execute_graphql.fn(document, app_credentials)
        assert made(github_api) == 3
        assert len(github_api.operations) == 2

    def test_a_token_may_be_for_less(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        narrow = GitHubAppCredentials(
            app_id=app.id,
            private_key=app.private_key,
            owner="shop",
            repositories=["shop/web"],
            permissions={"contents": "read"},
            base_url=github_api.endpoint,
        )
        token = github_api.tokens[narrow.get_token().get_secret_value()]
        assert (token.repositories, token.permissions) == (["web"], {"contents": "read"})

    def test_the_address_for_git_has_the_token(
        self, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        written = app_credentials.format_git_credentials("https://old@github.com/shop/etl.git")
        token = app_credentials.get_token().get_secret_value()
        assert written == f"https://x-access-token:{token}@github.com/shop/etl.git"
        assert app_credentials.format_git_credentials("git@github.com:shop/etl.git") == "git@github.com:shop/etl.git"

    def test_the_client_gets_a_new_token_when_it_must(
        self, github_api: GitHubApi, app_credentials: GitHubAppCredentials
    ) -> None:
        client = app_credentials.get_client()
        assert not github_api.calls
        github_api.token_seconds = 10
        for _ in range(2):
            assert client(VIEWER)["data"]["viewer"]["login"]
        assert made(github_api) == 2


class TestInstallations:
    @pytest.mark.parametrize("owner", ["shop", "shop/etl", "shop/"])
    def test_an_installation_is_found_by_its_owner(self, owner: str, github_api: GitHubApi, app: AppAtGitHub) -> None:
        block = GitHubAppCredentials(
            app_id=app.client_id, private_key=app.private_key, owner=owner, base_url=github_api.endpoint
        )
        assert f"installation{app.installations[0].id}" in block.get_token().get_secret_value()

    def test_a_user_has_installations_too(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        app.install("ada", is_organization=False)
        block = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, owner="ada", base_url=github_api.endpoint
        )
        assert f"installation{app.installations[1].id}" in block.get_token().get_secret_value()

    def test_its_number_needs_no_search(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        number = app.installations[0].id
        block = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, installation_id=number, base_url=github_api.endpoint
        )
        block.get_token()
        assert [call.method for call in github_api.calls] == ["access_token"]


class TestKeys:
    @pytest.mark.parametrize("form", ["escaped", "spaces", "crlf", "indented"])
    def test_a_key_is_read_in_the_forms_that_it_is_copied_in(
        self, form: str, github_api: GitHubApi, app: AppAtGitHub
    ) -> None:
        key = app.private_key
        forms = {
            "escaped": key.replace("\n", "\\n"),
            "spaces": key.replace("\n", " "),
            "crlf": key.replace("\n", "\r\n"),
            "indented": key.replace("\n", "\n    "),
        }
        block = GitHubAppCredentials(app_id=app.id, private_key=forms[form], owner="shop", base_url=github_api.endpoint)
        assert block.private_key.get_secret_value() == key
        assert block.get_token()

    @pytest.mark.parametrize("write", ["{0}", "-----BEGIN PUBLIC KEY-----\n{0}\n-----END PUBLIC KEY-----"])
    def test_what_is_no_key_is_refused_by_name(self, write: str, canary: str, no_canary_leaks: Any) -> None:
        with pytest.raises(ValueError, match="private_key is no private key in PEM form") as caught:
            GitHubAppCredentials(app_id="7", private_key=write.format(canary), owner="shop")
        no_canary_leaks.add_error(caught.value)

    def test_a_key_that_is_broken_is_told_without_being_said(
        self, github_api: GitHubApi, canary: str, no_canary_leaks: Any
    ) -> None:
        body = base64.b64encode(canary.encode()).decode()
        key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
        block = GitHubAppCredentials(app_id="7", private_key=key, owner="shop", base_url=github_api.endpoint)
        with pytest.raises(GitHubCredentialsError, match=r"GitHub App 7 .*private_key cannot be read") as caught:
            block.get_token()
        no_canary_leaks.add_error(caught.value)


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({}, "installation_id is missing"),
            ({"owner": "a/b/c"}, "owner is the name"),
            ({"owner": "https://github.com/shop"}, "owner is the name"),
            ({"owner": "shop", "app_id": " "}, "app_id is empty"),
        ],
        ids=["nothing", "path", "address", "no-id"],
    )
    def test_fields_that_cannot_be_meant_are_refused_by_name(
        self, fields: dict[str, Any], said: str, app: AppAtGitHub
    ) -> None:
        with pytest.raises(ValueError, match=said):
            GitHubAppCredentials(**{"app_id": 7, "private_key": app.private_key, **fields})

    def test_the_key_of_another_app_is_told(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        block = GitHubAppCredentials(
            app_id=app.id, private_key=another_key(), owner="shop", base_url=github_api.endpoint
        )
        with pytest.raises(GitHubAuthenticationFailed, match="`private_key` is one of this App's"):
            block.get_token()

    def test_an_unknown_installation_is_told(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        block = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, installation_id=1, base_url=github_api.endpoint
        )
        with pytest.raises(GitHubNotFound, match="Check `installation_id`"):
            block.get_token()

    def test_a_suspended_installation_is_told(
        self, github_api: GitHubApi, app: AppAtGitHub, app_credentials: GitHubAppCredentials
    ) -> None:
        app.installations[0].suspended = True
        with pytest.raises(GitHubAccessDenied, match="end the suspension"):
            app_credentials.get_token()

    def test_what_the_installation_does_not_have_is_told(self, github_api: GitHubApi, app: AppAtGitHub) -> None:
        block = GitHubAppCredentials(
            app_id=app.id,
            private_key=app.private_key,
            owner="shop",
            repositories=["secret"],
            base_url=github_api.endpoint,
        )
        with pytest.raises(GitHubInvalidRequest, match="that the installation has"):
            block.get_token()

    def test_trouble_passes(
        self, github_api: GitHubApi, app_credentials: GitHubAppCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("org_installation", 502)
        github_api.fail("access_token", when="lost")
        github_api.limit("primary-403", method="access_token", seconds=40)
        assert app_credentials.get_token()
        assert len(clock.sleeps) == 3
        assert 5 < max(clock.sleeps) < 45

    def test_a_host_that_is_down_is_told(self, app: AppAtGitHub, clock: FakeClock) -> None:
        block = GitHubAppCredentials(
            app_id=app.id, private_key=app.private_key, owner="x", base_url=f"http://127.0.0.1:{closed_port()}"
        )
        with pytest.raises(GitHubUnavailable, match="Check `base_url`, the network"):
            block.get_token()
        assert len(clock.sleeps) > 1

    def test_a_page_of_html_is_no_token(self, github_api: GitHubApi, app_credentials: GitHubAppCredentials) -> None:
        github_api.fail("access_token", when="garbled")
        with pytest.raises(RuntimeError, match=r"has no token.*base_url"):
            app_credentials.get_token()


def test_the_key_stays_in(
    github_api: GitHubApi, app_credentials: GitHubAppCredentials, caplog: pytest.LogCaptureFixture
) -> None:
    """As the token does: neither is in a log, at any level, nor in what a block or client shows of itself."""
    caplog.set_level(0)
    client = app_credentials.get_client()
    client(VIEWER)
    token = app_credentials.get_token().get_secret_value()
    body = app_credentials.private_key.get_secret_value().splitlines()[1]
    shown = "\n".join([caplog.text, repr(app_credentials), str(client), repr(client)])
    assert token not in shown
    assert body not in shown
