"""Bitbucket repositories and deployments, on a real git server that checks who asks as Bitbucket does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect.exceptions import InvalidRepositoryURLError

from prefect_bitbucket import BitBucketAppPasswordRefused, BitBucketCredentials, BitBucketRepository
from prefect_integration_kit.git import GitAuth
from prefect_integration_tests.backends.bitbucket_api import BitBucketApi
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, basic
from prefect_integration_tests.suites import GitIntegrationSuite

API, ACCESS = "x-bitbucket-api-token-auth", "x-token-auth"
SERVER = "https://bitbucket.corp"


class TestBitBucket(GitIntegrationSuite):
    repository_path = "scm/~ada/my repo.git"
    credentials_block = BitBucketCredentials
    repository_block = BitBucketRepository
    credentials_field = "bitbucket_credentials"
    pull_request = "pull-requests/7/from"  # of a Data Center
    scope_advice = "permission to read repositories"
    logins: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "access": ({"token": "ATCTT-1"}, basic(ACCESS, "ATCTT-1")),
        "access-with-prefix": ({"token": "x-token-auth:t"}, basic(ACCESS, "t")),
        "access-with-user": ({"token": "ATCTT-1", "username": "ada"}, basic(ACCESS, "ATCTT-1")),
        "access-by-field": ({"token": "t", "username": "ada", "token_type": "access"}, basic(ACCESS, "t")),
        "unknown": ({"token": "t"}, basic(ACCESS, "t")),
        "api": ({"token": "ATATT-1"}, basic(API, "ATATT-1")),
        "api-by-field": ({"token": "t", "token_type": "api"}, basic(API, "t")),
        "api-with-user": ({"token": "ATATT-1", "username": "ada"}, basic("ada", "ATATT-1")),
        "api-with-address": ({"token": "ATATT-1", "username": "ada@example.com"}, basic(API, "ATATT-1")),
        "address-beside-a-token": ({"token": "t", "username": "ada@corp"}, basic("ada@corp", "t")),
        "line-break": ({"token": "ATCTT-1\n"}, basic(ACCESS, "ATCTT-1")),
        "api-with-email": ({"token": "ATATT-1", "email": "ada@example.com"}, basic(API, "ATATT-1")),
        "server-user": ({"token": "BBDC-1", "username": "ada", "url": SERVER}, basic("ada", "BBDC-1")),
        "server-address": ({"token": "t", "username": "ada@corp", "url": SERVER}, basic("ada@corp", "t")),
        "server-bearer": ({"token": "BBDC-1"}, "Bearer BBDC-1"),
        "server-bearer-by-url": ({"token": "MDM0", "url": SERVER}, "Bearer MDM0"),
        "server-bearer-by-field": ({"token": "t", "token_type": "http"}, "Bearer t"),
        "server-project": ({"token": "BBDC-1", "token_type": "access"}, basic(ACCESS, "BBDC-1")),
        "user-beside": ({"token": "a:b", "username": "ada"}, basic("ada", "a:b")),
        "in-one": ({"token": "ada:t"}, basic("ada", "t")),
        "password": ({"username": "ada", "password": "p:w"}, basic("ada", "p:w")),
        "password-for-fixed-user": ({"username": "x-token-auth", "password": "t"}, basic(ACCESS, "t")),
        "token-before-password": ({"username": "ada", "password": "old", "token": "t"}, basic("ada", "t")),
        "odd-token": ({"token": "t/1"}, basic(ACCESS, "t/1")),
        "odd-with-prefix": ({"token": "x-token-auth:t@1"}, basic(ACCESS, "t@1")),
        "odd-in-one": ({"token": "ada:p%20w"}, basic("ada", "p%20w")),
        "odd-user": ({"token": "BBDC-1", "username": "~a d", "url": SERVER}, basic("~a d", "BBDC-1")),
        "odd-password": ({"username": "ada", "password": "p:w/ü"}, basic("ada", "p:w/ü")),
    }
    step_logins = (
        "access",
        "odd-token",
        "odd-with-prefix",
        "api-with-email",
        "api-with-address",
        "odd-in-one",
        "odd-user",
        "odd-password",
    )
    advice: ClassVar[dict[str, tuple[dict[str, Any], str]]] = {
        "api": ({"token": "ATATT-1"}, "read:repository:bitbucket"),
        "access": ({"token": "ATCTT-1"}, "reads only those that it was made for"),
        "unknown": ({"token": "quite-unknown"}, "Set `token_type`"),
        "password": ({"username": "ada", "password": "x"}, "use an HTTP access token"),
        "app-password": ({"username": "ada", "password": "ATBBx"}, "not accepted app passwords since June 2026"),
    }
    addresses: ClassVar[dict[str, str]] = {
        "https://bitbucket.org/shop/etl.git": "https://bitbucket.org/shop/etl.git",
        "https://ada@bitbucket.org/shop/etl.git": "https://bitbucket.org/shop/etl.git",
        **{
            same: same
            for same in (
                "https://bitbucket.corp/scm/shop/etl.git",
                "https://bitbucket.corp:7990/bitbucket/scm/~ada/etl.git",
                "http://bitbucket.corp/scm/shop/etl.git",
                "git@bitbucket.org:shop/etl.git",
                "ssh://git@bitbucket.corp:7999/shop/etl.git",
                "ssh://git@bitbucket.corp:7999/~ada/etl.git",
            )
        },
    }

    def authorization(self, token: str) -> str:
        user, colon, rest = token.partition(":")
        return basic(user, rest) if colon else basic(ACCESS, token)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("scm/shop/etl.git")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


class TestWhoAsks:
    @pytest.mark.parametrize(
        ("kind", "token"),
        [("api", "ATATT3x"), ("access", "ATCTT3x"), ("http", "BBDC-x"), ("project", "BBDC-y"), ("password", "pw")],
    )
    async def test_what_bitbucket_hands_out_pulls_from_a_host_of_any_name(
        self,
        kind: Any,
        token: str,
        git_server: GitServer,
        bitbucket_api: BitBucketApi,
        remote: BareRepository,
        tmp_path: Path,
    ) -> None:
        bitbucket_api.secret(token, kind)
        git_server.require(*bitbucket_api.git_authorizations())
        fields = {"username": "ada", "password": token} if kind == "password" else {"token": token}
        block = BitBucketRepository(
            repository=git_server.url(remote), bitbucket_credentials=BitBucketCredentials(**fields)
        )
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").exists()

    async def test_a_password_without_a_user_is_told(self, tmp_path: Path) -> None:
        block = BitBucketRepository(
            repository="https://git.corp/a/b", bitbucket_credentials=BitBucketCredentials(password="x")
        )
        with pytest.raises(ValueError, match="a password but no user name"):
            await block.aget_directory(local_path=str(tmp_path))


class TestSsh:
    @pytest.mark.parametrize("url", ["git@bitbucket.org:shop/etl.git", "ssh://git@bitbucket.corp:7999/shop/etl.git"])
    def test_credentials_for_an_address_of_ssh_are_refused(self, url: str) -> None:
        with pytest.raises(InvalidRepositoryURLError, match="only be used over HTTPS"):
            BitBucketRepository(repository=url, bitbucket_credentials=BitBucketCredentials(token="x"))
        assert BitBucketRepository(repository=url).repository == url


class TestAdvice:
    @pytest.mark.parametrize("field", ["password", "token"])
    async def test_an_app_password_is_not_even_sent_to_bitbucket_cloud(self, field: str, tmp_path: Path) -> None:
        credentials = BitBucketCredentials(username="ada", **{field: "ATBBsecret"})
        block = BitBucketRepository(
            repository="https://ada@bitbucket.org/shop/etl.git", bitbucket_credentials=credentials
        )
        with pytest.raises(BitBucketAppPasswordRefused, match="Create an API token") as caught:
            await block.aget_directory(local_path=str(tmp_path))
        assert "ATBBsecret" not in str(caught.value)


class TestSaved:
    async def test_the_e_mail_address_of_an_api_token_is_kept_for_the_api(self, prefect_harness: None) -> None:
        for number, fields in enumerate(
            ({"token": "ATATT1", "email": "ada@example.com"}, {"token": "ATATT2", "username": "ada@example.com"})
        ):
            await BitBucketCredentials(**fields).save(f"bitbucket-email-{number}")
            loaded = await BitBucketCredentials.load(f"bitbucket-email-{number}")
            client: Any = loaded.get_client("cloud")
            assert client.username == "ada@example.com"

    @pytest.mark.parametrize("token", ["x-token-auth:my-token", "ada:t", "t", "ATATT-1", "ada:b:c"])
    async def test_a_token_is_loaded_as_it_was_given(self, token: str, prefect_harness: None) -> None:
        await BitBucketCredentials(token=token).save("bitbucket-as-given", overwrite=True)
        loaded = await BitBucketCredentials.load("bitbucket-as-given")
        assert loaded.token is not None
        given = ("ada", "b:c") if token == "ada:b:c" else (None, token)
        assert (loaded.username, loaded.token.get_secret_value()) == given
        assert loaded.password is None

    @pytest.mark.parametrize("token", ["new", "x-token-auth:new"])
    def test_a_token_that_is_changed_where_it_was_saved_apart_is_the_new_one(self, token: str) -> None:
        saved = (
            BitBucketCredentials(token="x-token-auth:old")
            ._to_block_document("n", uuid4(), uuid4(), include_secrets=True)
            .data
        )
        changed = BitBucketCredentials(**{**saved, "token": token})
        assert (
            changed.format_git_credentials("https://bitbucket.org/a/b") == "https://x-token-auth:new@bitbucket.org/a/b"
        )
        assert changed.password is None


ODD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
NAMES = ODD.filter(lambda text: not set(text) & set(":@") and text != ACCESS)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(username=NAMES, token=ODD, password=ODD)
def test_odd_characters_are_sent_as_they_are(username: str, token: str, password: str) -> None:
    for fields, header in (
        ({"username": username, "token": token, "token_type": "http"}, basic(username, token)),
        ({"username": username, "password": password}, basic(username, password)),
    ):
        credentials = BitBucketCredentials(**fields)
        block = BitBucketRepository(repository="https://git.corp/a/b", bitbucket_credentials=credentials)
        assert _header(block) == header


def test_the_names_of_the_earlier_guide_are_there() -> None:
    import prefect_bitbucket
    from prefect_bitbucket.repositories import BitbucketRepository

    assert BitbucketRepository is prefect_bitbucket.BitbucketRepository is BitBucketRepository


def _header(block: BitBucketRepository) -> str:
    ask = block._source().access.auth
    assert callable(ask)
    found = ask()
    assert isinstance(found, GitAuth)
    return found.header
