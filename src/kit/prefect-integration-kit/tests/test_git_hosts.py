"""Addresses of instances are checked without being said, and what can be read on the way is warned of."""

from __future__ import annotations

import logging

import pytest

from prefect_integration_kit.git_hosts import instance_address, warn_of_exposure, with_scheme


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("https://git.corp", "https://git.corp"),
        (" git.corp/gitlab ", "git.corp/gitlab"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_an_address_is_taken_as_it_is_and_an_empty_one_means_none(given: str | None, meant: str | None) -> None:
    assert instance_address(given, "https://git.example.com", "`token`") == meant


@pytest.mark.parametrize(
    "url", ["https://user:pw@git.corp", "https://git.corp/?x=pw", "git corp pw", "git.corp\npw", "git.corp\rpw"]
)
def test_an_address_with_more_in_it_is_refused_without_being_said(url: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://git\.example\.com; credentials belong") as caught:
        instance_address(url, "https://git.example.com", "`token`")
    assert "pw" not in str(caught.value)


def test_https_is_meant_where_nothing_is_said() -> None:
    assert with_scheme("git.corp") == "https://git.corp"
    assert with_scheme("http://git.corp") == "http://git.corp"


@pytest.mark.parametrize(
    ("url", "verify", "said"),
    [
        ("https://git.corp", True, []),
        ("http://git.corp:8080/x", True, ["git.corp:8080 go over http"]),
        ("https://git.corp", False, ["certificate of git.corp is not checked"]),
        ("http://git.corp", False, ["go over http", "is not checked"]),
        ("http://127.0.0.1:1", True, []),
        ("http://localhost", True, []),
        ("http://[::1]:1", True, []),
    ],
)
def test_what_can_be_read_on_the_way_is_warned_of(
    url: str, verify: bool, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_exposure(logging.getLogger("hosts"), url, verify=verify)
    assert len(caplog.messages) == len(said)
    for message, part in zip(caplog.messages, said, strict=True):
        assert part in message
