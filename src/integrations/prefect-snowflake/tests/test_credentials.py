"""Each documented way to log in reaches the service, and what cannot work is refused early."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from prefect_integration_kit.waiting import poll
from prefect_snowflake import (
    SnowflakeCredentials,
    SnowflakeCredentialsError,
    SnowflakeLoginRefused,
    SnowflakeUnavailable,
)


def login(server: Any, **fields: Any) -> dict[str, Any]:
    SnowflakeCredentials(**{**server.address(), **fields}).get_client().close()
    return server.logins[-1]


def test_by_password(snowflake_server: Any) -> None:
    sent = login(snowflake_server, user="fake", password="snow", role="LOADER", autocommit=False)
    assert (sent["LOGIN_NAME"], sent["PASSWORD"]) == ("fake", "snow")
    assert sent["query"]["roleName"] == "LOADER"
    assert sent["SESSION_PARAMETERS"]["AUTOCOMMIT"] is False
    assert sent["CLIENT_ENVIRONMENT"]["APPLICATION"] == "Prefect_Snowflake_Collection"


def test_by_second_factor(snowflake_server: Any) -> None:
    fields = {"user": "fake", "password": "snow", "passcode": "123456"}
    sent = login(snowflake_server, authenticator="username_password_mfa", **fields)
    assert (sent["PASSWORD"], sent["EXT_AUTHN_DUO_METHOD"], sent["PASSCODE"]) == ("snow", "passcode", "123456")
    assert "CLIENT_REQUEST_MFA_TOKEN" in sent["SESSION_PARAMETERS"]


def test_by_oauth_token(snowflake_server: Any) -> None:
    snowflake_server.accounts.oauth_tokens.add("t1")
    sent = login(snowflake_server, authenticator="oauth", token="t1")
    assert (sent["AUTHENTICATOR"], sent["TOKEN"]) == ("OAUTH", "t1")


def test_by_oauth_client(snowflake_server: Any) -> None:
    snowflake_server.accounts.oauth_clients["etl"] = "s3cret"
    address = f"http://127.0.0.1:{snowflake_server.port}/oauth/token-request"
    fields = {"oauth_client_id": "etl", "oauth_client_secret": "s3cret", "oauth_token_request_url": address}
    sent = login(snowflake_server, user="etl", authenticator="oauth_client_credentials", role="R", **fields)
    assert sent["AUTHENTICATOR"] == "OAUTH"
    assert sent["TOKEN"].startswith("oauth-")
    asked = snowflake_server.token_requests[-1]
    assert (asked["grant_type"], asked["client"], asked["scope"]) == ("client_credentials", "etl", "session:role:R")


def test_by_programmatic_access_token(snowflake_server: Any) -> None:
    snowflake_server.accounts.access_tokens.add("pat")
    sent = login(snowflake_server, user="fake", authenticator="programmatic_access_token", token="pat")
    assert (sent["AUTHENTICATOR"], sent["TOKEN"]) == ("PROGRAMMATIC_ACCESS_TOKEN", "pat")


def test_by_workload_identity_of_oidc(snowflake_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import jwt

    # Newer connectors show such tokens to Snowflake's own hosts only (their error 251021).
    host, look_up = "fakesnow.snowflakecomputing.com", socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *others: look_up("127.0.0.1" if name == host else name, *others)
    )
    token = jwt.encode({"iss": "https://issuer", "sub": "flow", "aud": "snowflakecomputing.com"}, "k" * 32)
    snowflake_server.accounts.identity_tokens.add(token)
    fields = {"authenticator": "workload_identity", "workload_identity_provider": "oidc", "token": token}
    sent = login(snowflake_server, host=host, **fields)
    assert (sent["AUTHENTICATOR"], sent["PROVIDER"], sent["TOKEN"]) == ("WORKLOAD_IDENTITY", "OIDC", token)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"authenticator": "externalbrowser"}, "EXTERNALBROWSER"),
        (
            {"authenticator": "okta_endpoint", "endpoint": "https://acme.okta.com", "password": "p"},
            "https://acme.okta.com",
        ),
    ],
    ids=["browser", "okta"],
)
def test_single_sign_on_begins_at_snowflake(snowflake_server: Any, fields: Any, sent: str) -> None:
    with pytest.raises(SnowflakeLoginRefused):
        login(snowflake_server, user="fake", **fields)
    assert snowflake_server.authenticator_requests[-1]["AUTHENTICATOR"] == sent


def test_a_token_file_is_read_at_each_login(snowflake_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    snowflake_server.accounts.oauth_tokens.update({"t1", "t2"})
    credentials = SnowflakeCredentials(authenticator="oauth", token_file_path=path, **snowflake_server.address())
    for token in ("t1", "t2"):
        path.write_text(f"{token}\n")
        credentials.get_client().close()
        assert snowflake_server.logins[-1]["TOKEN"] == token


def test_a_token_provider_is_asked_at_each_login(snowflake_server: Any) -> None:
    tokens = iter(["t1", SecretStr("t2")])
    snowflake_server.accounts.oauth_tokens.update({"t1", "t2"})
    credentials = SnowflakeCredentials.with_token_provider(lambda: next(tokens), **snowflake_server.address())
    credentials.get_client().close()
    credentials.get_client().close()
    assert [sent["TOKEN"] for sent in snowflake_server.logins] == ["t1", "t2"]


async def test_both_faces_open_connections(snowflake_server: Any, call: Any) -> None:
    credentials = SnowflakeCredentials(user="fake", password="snow", **snowflake_server.address())
    connection = await call(credentials, "get_client", database="D")
    assert not connection.is_closed()
    connection.close()


def test_session_parameters_and_threads_reach_the_session(snowflake_server: Any) -> None:
    """The connector's prefetch threads can be set (snowflake-connector#2213)."""
    sent = login(
        snowflake_server,
        user="fake",
        password="snow",
        session_parameters={"TIMEZONE": "UTC"},
        client_prefetch_threads=2,
    )
    assert sent["SESSION_PARAMETERS"]["TIMEZONE"] == "UTC"
    assert sent["SESSION_PARAMETERS"]["CLIENT_PREFETCH_THREADS"] == 2


# What is refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": "u"}, "'snowflake', which needs `password` or `private_key` or `private_key_path`"),
        ({"password": "p"}, "'snowflake', which needs `user`"),
        ({"user": "u", "authenticator": "snowflake_jwt"}, "needs `private_key` or `private_key_path`"),
        ({"authenticator": "oauth"}, "'oauth', which needs `token` or `token_file_path`"),
        ({"authenticator": "programmatic_access_token"}, "needs `token` or `token_file_path`"),
        ({"authenticator": "oauth_client_credentials", "oauth_client_id": "i"}, "needs `oauth_client_secret`"),
        ({"authenticator": "workload_identity"}, "needs `workload_identity_provider`"),
        ({"authenticator": "workload_identity", "workload_identity_provider": "oidc"}, "'oidc', which needs `token`"),
        ({"user": "u", "password": "p", "authenticator": "okta_endpoint"}, "needs `endpoint`"),
        ({"user": "u", "password": "p", "endpoint": "acme.okta.com"}, "must start with https://"),
        ({"user": "u", "authenticator": "username_password_mfa"}, "needs `password`"),
        ({"authenticator": "oauth", "token": "t", "token_file_path": "f"}, "both given"),
        ({"user": "u", "private_key": b"k", "private_key_path": "f"}, "both given"),
        ({"user": "u", "password": "p", "authenticator": "magic"}, "authenticator"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_together_is_refused_at_once(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SnowflakeCredentials(account="a", **fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": "fake", "password": "{}"}, "Incorrect username or password"),
        ({"authenticator": "oauth", "token": "{}"}, "Invalid OAuth access token"),
        ({"user": "fake", "authenticator": "programmatic_access_token", "token": "{}"}, "token is invalid"),
        ({"user": "fake", "password": "{}", "authenticator": "username_password_mfa"}, "Incorrect username"),
    ],
    ids=["password", "oauth", "access-token", "mfa"],
)
async def test_a_wrong_secret_is_refused_and_not_said(
    snowflake_server: Any, call: Any, canary: str, no_canary_leaks: Any, fields: dict[str, str], said: str
) -> None:
    given: dict[str, Any] = {name: value.format(canary) for name, value in fields.items()}
    credentials = SnowflakeCredentials(**given, **snowflake_server.address())
    with pytest.raises(SnowflakeLoginRefused, match=f"Login to Snowflake account 'fakesnow': .*{said}") as caught:
        await call(credentials, "get_client")
    no_canary_leaks.add_error(caught.value)
    assert isinstance(caught.value, PermissionError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_expired_token_says_so(snowflake_server: Any) -> None:
    snowflake_server.accounts.expired_tokens.add("old")
    with pytest.raises(SnowflakeLoginRefused, match="token expired"):
        login(snowflake_server, authenticator="oauth", token="old")


def test_a_role_that_is_not_granted_is_named(snowflake_server: Any) -> None:
    snowflake_server.accounts.roles = {"LOADER"}
    with pytest.raises(SnowflakeLoginRefused, match="Role 'BOSS'"):
        login(snowflake_server, user="fake", password="snow", role="BOSS")


def test_a_host_that_cannot_be_reached_is_named() -> None:
    credentials = SnowflakeCredentials(
        account="acme", user="u", password="p", host="127.0.0.1", port=9, protocol="http", login_timeout=1
    )
    with pytest.raises(SnowflakeUnavailable, match=r"account 'acme'.*Check `account` and the network") as caught:
        credentials.get_client()
    assert isinstance(caught.value, ConnectionError)


def test_an_empty_token_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n")
    credentials = SnowflakeCredentials(account="a", authenticator="oauth", token_file_path=tmp_path / "token")
    with pytest.raises(SnowflakeCredentialsError, match=r"token_file_path: .* has no token"):
        credentials.get_client()


# Identity providers


@pytest.fixture
def silence() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _client(server: Any, port: int, **fields: Any) -> SnowflakeCredentials:
    """An OAuth client whose tokens are given at another port."""
    return SnowflakeCredentials(
        user="etl",
        authenticator="oauth_client_credentials",
        oauth_client_id="etl",
        oauth_client_secret=SecretStr("s3cret"),
        oauth_token_request_url=f"http://127.0.0.1:{port}/oauth/token-request",
        **fields,
        **server.address(),
    )


async def test_a_token_endpoint_that_says_nothing_is_given_up(
    snowflake_server: Any, silence: int, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SNOWFLAKE_LOGIN_TIMEOUT_SECONDS", "1")
    words = (
        r"Login to Snowflake account 'fakesnow': .* 1 seconds; the token endpoint at 127\.0\.0\.1 or .*login_timeout"
    )
    began = time.monotonic()
    with pytest.raises(SnowflakeUnavailable, match=words):
        await call(_client(snowflake_server, silence), "get_client")
    assert time.monotonic() - began < 10
    assert snowflake_server.logins == []


def test_a_login_that_comes_through_too_late_is_ended(snowflake_server: Any, http_edge: Any) -> None:
    snowflake_server.accounts.oauth_clients["etl"] = "s3cret"
    edge = http_edge(f"http://127.0.0.1:{snowflake_server.port}")
    closed = snowflake_server.closed_sessions
    with edge.fault("slow", body_seconds=2), pytest.raises(SnowflakeUnavailable, match="has not ended within 1 sec"):
        _client(snowflake_server, edge.port, login_timeout=1).get_client()
    poll(
        lambda: snowflake_server.closed_sessions > closed or None,
        subject="The session",
        interval_seconds=0.05,
        timeout_seconds=20,
    )
    assert len(snowflake_server.logins) == 1


@pytest.mark.parametrize(
    ("secret", "port", "error", "said"),
    [
        ("other", None, SnowflakeLoginRefused, "250006.*The identity provider gave no token. Check the client"),
        ("s3cret", 9, SnowflakeUnavailable, r"'fakesnow': .*127\.0\.0\.1.*port=9.*Check .*the network"),
    ],
    ids=["refused", "nobody"],
)
def test_a_token_that_is_not_given_is_told(
    snowflake_server: Any, secret: str, port: int | None, error: type[Exception], said: str
) -> None:
    snowflake_server.accounts.oauth_clients["etl"] = secret
    with pytest.raises(error, match=said) as caught:
        _client(snowflake_server, port or snowflake_server.port).get_client()
    assert "s3cret" not in str(caught.value)


def test_okta_is_not_asked_for_ever(snowflake_server: Any) -> None:
    fields = {"authenticator": "okta_endpoint", "endpoint": "https://acme.okta.com", "password": "p"}
    with pytest.raises(SnowflakeLoginRefused):
        login(snowflake_server, user="fake", **fields)
    assert snowflake_server.authenticator_requests[-1]["CLIENT_ENVIRONMENT"]["LOGIN_TIMEOUT"] == 120
