"""Each kind of token reaches Bitbucket as it wants it: in the address for git, in a header for each of its two APIs."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from prefect_bitbucket import (
    BitBucketAppPasswordRefused,
    BitBucketCredentials,
    BitBucketCredentialsError,
    ClientType,
)
from prefect_bitbucket import credentials as module
from prefect_integration_tests.backends.bitbucket_api import BitBucketApi
from prefect_integration_tests.backends.certificates import PrivateCA

API, ACCESS = "x-bitbucket-api-token-auth", "x-token-auth"
URLS = {
    "cloud": "https://bitbucket.org/org/repo.git",
    "cloud-with-user": "https://ada@bitbucket.org/org/repo.git",
    "server": "https://bitbucket.corp:7990/scm/~ada/repo.git",
    "http": "http://127.0.0.1:8080/scm/shop/repo.git",
    "host-alone": "https://bitbucket.org",
}


class TestAddresses:
    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    @pytest.mark.parametrize(
        ("fields", "login"),
        [
            ({"token": "t"}, f"{ACCESS}:t"),
            ({"token": "x-token-auth:t"}, f"{ACCESS}:t"),
            ({"token": "ATATT1"}, f"{API}:ATATT1"),
            ({"token": "t", "username": "ada"}, "ada:t"),
            ({"token": "t", "username": "ada@corp"}, "ada%40corp:t"),
            ({"username": "a/d", "password": "p@ss:w%20rd ü"}, "a%2Fd:p%40ss%3Aw%2520rd%20%C3%BC"),
            ({"password": "t"}, f"{ACCESS}:t"),
            ({"password": "ada:t"}, "ada:t"),
        ],
        ids=["access", "prefixed", "api", "user", "address", "password", "password-alone", "password-with-user"],
    )
    def test_the_login_is_written_into_the_address(self, url: str, fields: dict[str, Any], login: str) -> None:
        parts = urlsplit(url)
        expected = parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()
        written = BitBucketCredentials(**fields).format_git_credentials(url)
        assert written == expected
        assert BitBucketCredentials(**fields).format_git_credentials(written) == written

    def test_an_address_of_ssh_stays_as_it_is(self) -> None:
        for url in ("git@bitbucket.org:org/repo.git", "ssh://git@bitbucket.corp:7999/~ada/repo.git"):
            assert BitBucketCredentials(token="x").format_git_credentials(url) == url

    @pytest.mark.parametrize(
        ("fields", "url", "said"),
        [
            ({}, URLS["cloud"], "neither a token nor a user name"),
            ({"username": "ada"}, URLS["cloud"], "neither a token nor a user name"),
            ({"password": "x"}, "https://bitbucketserver.corp/scm/a/b.git", "a password but no user name"),
            ({"token": "t"}, "https://bitbucketserver.corp/scm/a/b.git", "wants a user name beside the token"),
            ({"token": "BBDC-1"}, URLS["server"], "wants a user name beside the token"),
        ],
        ids=["nothing", "user", "password", "server", "data-center-token"],
    )
    def test_what_is_lacking_is_named(self, fields: dict[str, Any], url: str, said: str) -> None:
        with pytest.raises(ValueError, match=said) as caught:
            BitBucketCredentials(**fields).format_git_credentials(url)
        assert isinstance(caught.value, BitBucketCredentialsError)

    def test_an_app_password_is_refused_for_bitbucket_cloud(self, canary: str, no_canary_leaks: Any) -> None:
        credentials = BitBucketCredentials(username="ada", password=f"ATBB{canary}")
        with pytest.raises(BitBucketAppPasswordRefused, match="since June 2026") as caught:
            credentials.format_git_credentials(URLS["cloud"])
        no_canary_leaks.add_error(caught.value)
        assert "ada:ATBB" in credentials.format_git_credentials(URLS["server"])

    @given(
        username=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(
            lambda text: "@" not in text and text not in (API, ACCESS)
        ),
        secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1),
    )
    def test_any_login_is_encoded_once(self, username: str, secret: str) -> None:
        for fields in ({"token": secret, "token_type": "http"}, {"password": secret}):
            credentials = BitBucketCredentials(username=username, **fields)
            parts = urlsplit(credentials.format_git_credentials(URLS["server"]))
            assert (parts.hostname, parts.path) == ("bitbucket.corp", "/scm/~ada/repo.git")
            assert unquote(parts.username or "", errors="strict") == username
            assert unquote(parts.password or "", errors="strict") == secret


class TestFields:
    @pytest.mark.parametrize("url", ["https://user:pw@bitbucket.corp", "https://bitbucket.corp/?x", "bitbucket corp"])
    def test_an_address_that_is_none_is_refused_without_being_said(self, url: str) -> None:
        with pytest.raises(ValueError, match="url is the address of the instance alone") as caught:
            BitBucketCredentials(url=url)
        assert "pw" not in str(caught.value)

    def test_an_unknown_kind_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match="token_type"):
            BitBucketCredentials(token="x", token_type="session")  # pyright: ignore[reportArgumentType]


class TestCloudClient:
    @pytest.mark.parametrize(
        ("kind", "token", "fields"),
        [
            ("api", "ATATT1", {"email": "ada@example.com"}),
            ("api", "ATATT1", {"username": "ada@example.com"}),
            ("api", "t", {"token_type": "api", "email": "ada@example.com", "username": "ada"}),
            ("access", "ATCTT1", {}),
            ("access", "x-token-auth:t", {}),
        ],
        ids=["api", "api-by-user", "api-by-field", "access", "prefixed"],
    )
    def test_each_token_goes_as_the_api_wants_it(
        self, kind: Any, token: str, fields: dict[str, Any], bitbucket_api: BitBucketApi
    ) -> None:
        bitbucket_api.secret(token.removeprefix("x-token-auth:"), kind)
        bitbucket_api.repositories["shop"] = ["etl"]
        credentials = BitBucketCredentials(token=token, url=bitbucket_api.endpoint, **fields)
        client: Any = credentials.get_client("cloud")
        assert client.repositories.get("shop", "etl").slug == "etl"
        assert client.workspaces.get("shop").slug == "shop"

    @pytest.mark.parametrize("url", [None, "https://bitbucket.org", "https://bitbucket.org/", "bitbucket.org"])
    def test_bitbucket_org_has_its_api_at_another_host(self, url: str | None) -> None:
        client = BitBucketCredentials(token="t", url=url).get_client(ClientType.CLOUD)
        assert client.url == "https://api.bitbucket.org/2.0"

    @pytest.mark.parametrize("token", ["{}\nx", "{} …"], ids=["line-break", "unicode"])
    def test_a_token_that_no_header_can_have_is_not_shown(self, token: str, canary: str, no_canary_leaks: Any) -> None:
        for kind in ClientType:
            credentials = BitBucketCredentials(token=token.format(canary), url="https://bitbucket.corp")
            with pytest.raises(BitBucketCredentialsError, match="copied as a whole") as caught:
                credentials.get_client(kind)
            no_canary_leaks.add_error(caught.value)

    def test_an_api_token_without_its_address_is_told(self) -> None:
        with pytest.raises(ValueError, match="email is missing"):
            BitBucketCredentials(token="ATATT1").get_client("cloud")

    def test_an_app_password_is_refused(self) -> None:
        with pytest.raises(BitBucketAppPasswordRefused):
            BitBucketCredentials(username="ada", password="ATBB1").get_client("cloud")

    def test_a_refusal_of_the_api_is_raised(self, bitbucket_api: BitBucketApi) -> None:
        client: Any = BitBucketCredentials(token="wrong", url=bitbucket_api.endpoint).get_client("cloud")
        with pytest.raises(requests.HTTPError, match="Token is invalid"):
            client.repositories.get("shop", "etl")


class TestClasses:
    @pytest.mark.parametrize(("name", "kind"), [("Cloud", "cloud"), ("Bitbucket", "local")])
    def test_a_class_that_a_test_replaces_makes_the_client(self, name: str, kind: str) -> None:
        credentials = BitBucketCredentials(token="t", url="https://bitbucket.corp")
        with patch(f"prefect_bitbucket.credentials.{name}") as made:
            assert credentials.get_client(kind, timeout=3) is made.return_value
        made.assert_called_once_with(url="https://bitbucket.corp", token="t", timeout=3)
        client: Any = credentials.get_client(kind)
        assert type(client) is getattr(module, name)

    def test_no_other_name_is_there(self) -> None:
        assert not hasattr(module, "Nothing")


class TestServerClient:
    @pytest.mark.parametrize("client_type", ["local", "LOCAL", ClientType.LOCAL], ids=str)
    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            ("http", {"token": "BBDC-1", "username": "ada"}),
            ("http", {"token": "BBDC-1"}),
            ("project", {"token": "BBDC-1", "token_type": "access"}),
            ("password", {"username": "ada", "password": "BBDC-1"}),
        ],
        ids=["http", "bearer", "project", "password"],
    )
    def test_each_login_goes_as_the_api_wants_it(
        self, client_type: Any, kind: Any, fields: dict[str, Any], bitbucket_api: BitBucketApi
    ) -> None:
        bitbucket_api.secret("BBDC-1", kind)
        bitbucket_api.repositories["SHOP"] = ["etl"]
        client: Any = BitBucketCredentials(url=bitbucket_api.endpoint, **fields).get_client(client_type)
        assert client.project("SHOP")["key"] == "SHOP"
        assert client.get_repo("SHOP", "etl")["slug"] == "etl"

    def test_an_instance_needs_its_address(self) -> None:
        with pytest.raises(ValueError, match="have no url"):
            BitBucketCredentials(token="t").get_client("local")
        client = BitBucketCredentials(token="t").get_client("local", url="https://bitbucket.corp", timeout=3)
        assert (client.url, client.timeout) == ("https://bitbucket.corp", 3)

    def test_a_kind_of_client_that_is_none_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match="client_type is 'server'"):
            BitBucketCredentials(token="t").get_client("server")

    def test_a_private_authority_is_trusted_by_text_or_file(self, git_authority: PrivateCA) -> None:
        certificate = git_authority.issue("bitbucket-api", "127.0.0.1", "localhost")
        with BitBucketApi(certificate) as api:
            api.secret("BBDC-1", "http")
            api.repositories["SHOP"] = ["etl"]
            for trust in (
                {"ca_bundle": git_authority.ca_file.read_text()},
                {"ca_bundle": str(git_authority.ca_file)},
                {"verify": False},
            ):
                client: Any = BitBucketCredentials(token="BBDC-1", url=api.endpoint, **trust).get_client("local")
                assert client.project("SHOP")["key"] == "SHOP"
            client = BitBucketCredentials(token="BBDC-1", url=api.endpoint).get_client("local")
            with pytest.raises(requests.exceptions.SSLError):
                client.project("SHOP")

    def test_http_and_unchecked_certificates_are_warned_of(self, caplog: pytest.LogCaptureFixture) -> None:
        BitBucketCredentials(token="x", url="http://bitbucket.corp", verify=False).get_client("local")
        assert "go over http" in caplog.text
        assert "is not checked" in caplog.text
        caplog.clear()
        BitBucketCredentials(token="x", url="http://127.0.0.1:1").get_client("local")
        assert not caplog.text
