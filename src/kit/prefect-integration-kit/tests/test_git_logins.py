"""Logins reach Prefect's own steps whole, whatever characters they have."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prefect_integration_kit.git_logins import (
    SAVED_APART,
    UNUSED_PASSWORD,
    address_with_login,
    given_password,
    header_token,
    put_together,
    save_login,
    split_login,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(texts, texts)
def test_an_address_gives_back_the_login_that_was_written_into_it(username: str, password: str):
    parts = urlsplit(address_with_login("https://old:login@git.example.com:8443/org/repo.git", username, password))
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (username, password)
    assert (parts.hostname, parts.port, parts.path) == ("git.example.com", 8443, "/org/repo.git")


@pytest.mark.parametrize("url", ["git@git.example.com:org/repo.git", "ssh://git@git.example.com/org/repo.git"])
def test_an_address_for_ssh_stays_as_it_is(url: str):
    assert address_with_login(url, "me", "token") == url


@pytest.mark.parametrize(
    ("token", "parts"),
    [
        ("deployer:token", ("deployer", "token")),
        ("deployer:to:ken", ("deployer", "to:ken")),
        ("token", ("", "token")),
        (":token", ("", ":token")),
        ("token:", ("", "token:")),
    ],
)
def test_a_token_may_bring_its_user_name(token: str, parts: tuple[str, str]):
    assert split_login(token) == parts


def test_what_is_saved_for_prefect_s_step_is_no_password_when_it_is_read():
    data: dict[str, Any] = {}
    save_login(data, "me", "token")
    assert (data["username"], data["token"]) == ("me", "token")
    assert data["password"] == UNUSED_PASSWORD
    assert given_password(SecretStr(data["password"])) is None


@pytest.mark.parametrize(
    ("saved", "read"),
    [
        (
            {"username": "deployer", "token": SecretStr("t"), "password": SecretStr(SAVED_APART)},
            {"username": None, "token": "deployer:t", "password": None},
        ),
        (
            {"username": "deployer", "token": "other:t", "password": SAVED_APART},  # changed by hand
            {"username": "deployer", "token": "other:t", "password": None},
        ),
        ({"username": "me", "token": "t", "password": "mine"}, {"username": "me", "token": "t", "password": "mine"}),
        ({}, {}),
        ("no mapping", "no mapping"),
    ],
)
def test_a_token_that_was_saved_apart_from_its_user_is_read_as_it_was_given(saved: Any, read: Any):
    assert put_together(saved) == read


def test_a_password_of_the_user_is_kept():
    data: dict[str, Any] = {"password": "mine"}
    save_login(data, "me", "token")
    kept = given_password(SecretStr(data["password"]))
    assert kept is not None
    assert kept.get_secret_value() == "mine"


@pytest.mark.parametrize("token", ["to\nken", "to\r\nken", "to\x00ken"])
def test_a_token_that_no_header_takes_is_refused_and_not_told(token: str):
    with pytest.raises(LookupError, match="The token of the GitLab credentials") as refused:
        header_token(token, "GitLab", LookupError)
    assert refused.value.__suppress_context__
    assert "ken" not in str(refused.value).replace("token", "")


def test_a_line_break_after_a_token_does_no_harm():
    assert header_token("token\r\n", "GitLab", LookupError) == "token"
