"""Bitbucket repositories, on a real git server that checks who asks as Bitbucket does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_bitbucket import BitBucketAppPasswordRefused, BitBucketCredentials, BitBucketRepository
from prefect_integration_kit.git import GitAccessDenied, GitAuth, GitAuthenticationFailed, parse_address
from prefect_integration_tests.backends.bitbucket_api import BitBucketApi
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import BareRepository, GitServer, GitSshServer, basic
from prefect_integration_tests.suites import GitRepositorySuite

API, ACCESS = "x-bitbucket-api-token-auth", "x-token-auth"
SERVER = "https://bitbucket.corp"


class TestBitBucketRepository(GitRepositorySuite):
    repository_path = "scm/~ada/my repo.git"

    def make_block(self, url: str, token: str | None, **fields: Any) -> BitBucketRepository:
        credentials = None if token is None else BitBucketCredentials(token=token)
        return BitBucketRepository(repository=url, bitbucket_credentials=credentials, **fields)

    def authorization(self, token: str) -> str:
        user, colon, rest = token.partition(":")
        return basic(user, rest) if colon else basic(ACCESS, token)


@pytest.fixture
def remote(git_server: GitServer) -> BareRepository:
    repository = git_server.repository("scm/shop/etl.git")
    repository.commit({"flow.py": b"print('flow')\n"})
    return repository


WHO: dict[str, tuple[dict[str, Any], str]] = {
    "access": ({"token": "ATCTT-1"}, basic(ACCESS, "ATCTT-1")),
    "access-with-prefix": ({"token": "x-token-auth:t"}, basic(ACCESS, "t")),
    "access-with-user": ({"token": "ATCTT-1", "username": "ada"}, basic(ACCESS, "ATCTT-1")),
    "access-by-field": ({"token": "t", "username": "ada", "token_type": "access"}, basic(ACCESS, "t")),
    "unknown": ({"token": "t"}, basic(ACCESS, "t")),
    "api": ({"token": "ATATT-1"}, basic(API, "ATATT-1")),
    "api-by-field": ({"token": "t", "token_type": "api"}, basic(API, "t")),
    "api-with-user": ({"token": "ATATT-1", "username": "ada"}, basic("ada", "ATATT-1")),
    "api-with-address": ({"token": "ATATT-1", "username": "ada@example.com"}, basic(API, "ATATT-1")),
    "address-beside-a-token": ({"token": "t", "username": "ada@example.com"}, basic(API, "t")),
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
}


class TestWhoAsks:
    @pytest.mark.parametrize(("fields", "header"), WHO.values(), ids=WHO)
    def test_each_kind_of_token_goes_as_bitbucket_wants_it(self, fields: dict[str, Any], header: str) -> None:
        block = BitBucketRepository(
            repository="https://git.corp/a/b", bitbucket_credentials=BitBucketCredentials(**fields)
        )
        assert _header(block) == header

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

    async def test_credentials_without_a_token_read_public_repositories(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        block = BitBucketRepository(repository=git_server.url(remote), bitbucket_credentials=BitBucketCredentials())
        await block.aget_directory(local_path=str(tmp_path))
        assert {request.authorization for request in git_server.requests} == {None}

    async def test_a_password_without_a_user_is_told(self, tmp_path: Path) -> None:
        block = BitBucketRepository(
            repository="https://git.corp/a/b", bitbucket_credentials=BitBucketCredentials(password="x")
        )
        with pytest.raises(ValueError, match="a password but no user name"):
            await block.aget_directory(local_path=str(tmp_path))


class TestAdvice:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"token": "ATATT-1"}, "read:repository:bitbucket"),
            ({"token": "ATCTT-1"}, "reads only those that it was made for"),
            ({"token": "quite-unknown"}, "Set `token_type`"),
            ({"username": "ada", "password": "x"}, "use an HTTP access token"),
            ({"username": "ada", "password": "ATBBx"}, "has not accepted app passwords since June 2026"),
        ],
        ids=["api", "access", "unknown", "password", "app-password"],
    )
    async def test_a_refusal_says_what_these_credentials_need(
        self, fields: dict[str, Any], said: str, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.require("Basic other")
        block = BitBucketRepository(
            repository=git_server.url(remote), bitbucket_credentials=BitBucketCredentials(**fields)
        )
        with pytest.raises(GitAuthenticationFailed, match=said):
            await block.aget_directory(local_path=str(tmp_path))

    @pytest.mark.parametrize("field", ["password", "token"])
    async def test_an_app_password_is_not_even_sent_to_bitbucket_cloud(self, field: str, tmp_path: Path) -> None:
        credentials = BitBucketCredentials(username="ada", **{field: "ATBBsecret"})
        block = BitBucketRepository(
            repository="https://ada@bitbucket.org/shop/etl.git", bitbucket_credentials=credentials
        )
        with pytest.raises(BitBucketAppPasswordRefused, match="Create an API token") as caught:
            await block.aget_directory(local_path=str(tmp_path))
        assert "ATBBsecret" not in str(caught.value)

    async def test_a_token_without_the_scope_is_told_from_an_unknown_one(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        git_server.forbidden.add(basic(ACCESS, "ATCTT-weak"))
        block = BitBucketRepository(
            repository=git_server.url(remote), bitbucket_credentials=BitBucketCredentials(token="ATCTT-weak")
        )
        with pytest.raises(GitAccessDenied, match="permission to read repositories"):
            await block.aget_directory(local_path=str(tmp_path))


class TestPlaces:
    async def test_an_authority_is_trusted_by_the_credentials_or_the_repository(
        self, git_tls_server: GitServer, git_authority: PrivateCA, tmp_path: Path
    ) -> None:
        remote = git_tls_server.repository("scm/~ada/etl.git")
        remote.commit({"flow.py": b""})
        url, bundle = git_tls_server.url(remote), git_authority.ca_file.read_text()
        known = BitBucketCredentials(token="x", ca_bundle=bundle)
        unchecked = BitBucketCredentials(token="x", verify=False)
        blocks = {
            "credentials": BitBucketRepository(repository=url, bitbucket_credentials=known),
            "repository": BitBucketRepository(repository=url, ca_bundle=str(git_authority.ca_file)),
            "unchecked": BitBucketRepository(repository=url, bitbucket_credentials=unchecked),
        }
        for name, block in blocks.items():
            await block.aget_directory(local_path=str(tmp_path / name))
            assert (tmp_path / name / "flow.py").exists()

    async def test_a_pull_request_of_a_data_center_is_pulled_by_its_reference(
        self, git_server: GitServer, remote: BareRepository, tmp_path: Path
    ) -> None:
        proposed = remote.commit({"flow.py": b"proposed"}, branch="topic")
        remote.set_reference("refs/pull-requests/7/from", proposed)
        block = BitBucketRepository(repository=git_server.url(remote), reference="pull-requests/7/from")
        await block.aget_directory(local_path=str(tmp_path))
        assert (tmp_path / "flow.py").read_bytes() == b"proposed"

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("https://bitbucket.org/shop/etl.git",) * 2,
            ("https://ada@bitbucket.org/shop/etl.git", "https://bitbucket.org/shop/etl.git"),
            ("https://bitbucket.corp/scm/shop/etl.git",) * 2,
            ("https://bitbucket.corp:7990/bitbucket/scm/~ada/etl.git",) * 2,
            ("http://bitbucket.corp/scm/shop/etl.git",) * 2,
            ("git@bitbucket.org:shop/etl.git",) * 2,
            ("ssh://git@bitbucket.corp:7999/shop/etl.git",) * 2,
            ("ssh://git@bitbucket.corp:7999/~ada/etl.git",) * 2,
        ],
        ids=lambda value: value.replace("/", "-"),
    )
    def test_each_form_that_bitbucket_shows_is_taken(self, written: str, meant: str) -> None:
        assert parse_address(BitBucketRepository(repository=written).repository).url == meant

    async def test_an_access_key_opens_the_door_of_ssh(self, git_ssh_server: GitSshServer, tmp_path: Path) -> None:
        remote = BareRepository(tmp_path / "remote.git", "main")
        remote.commit({"flow.py": b"by ssh"})
        block = BitBucketRepository(
            repository=git_ssh_server.url(remote.path),
            ssh_private_key=git_ssh_server.private_key,
            ssh_known_hosts=git_ssh_server.known_hosts,
        )
        await block.aget_directory(local_path=str(tmp_path / "code"))
        assert (tmp_path / "code/flow.py").read_bytes() == b"by ssh"

    def test_a_depth_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="git_depth"):
            BitBucketRepository(repository="https://bitbucket.org/a/b", git_depth=0)


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
