"""Addresses of services that a block gives."""

from __future__ import annotations

import pytest

from prefect_integration_kit.endpoints import check_address, check_endpoints, host_address, is_loopback, may_have_tokens


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("acme.localhost", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize(
    ("url", "may"),
    [("https://example.com", True), ("http://127.0.0.1:8080", True), ("http://example.com", False)],
)
def test_tokens_go_over_tls_or_to_this_machine(url: str, may: bool) -> None:
    assert may_have_tokens(url) is may


def test_an_address_loses_its_slash() -> None:
    assert check_address(" https://example.com:8443/ ", "endpoint") == "https://example.com:8443"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("example.com", "must have the form"),
        ("ftp://example.com", "must have the form"),
        ("https://example.com:port", "must have the form"),
        ("https://", "must have the form"),
        ("https://user:hunter2@example.com", "without a user"),
        ("https://@example.com", "without a user"),
        ("https://example\r\n.com", "must have the form"),
        ("https://example.com/v1", "without a user, path"),
        ("https://example.com?x=hunter2", "without a user, path or query"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        check_address(url, "endpoint")
    assert "hunter2" not in str(refusal.value)


def test_a_service_that_does_not_exist_is_refused_with_what_may_be_meant() -> None:
    with pytest.raises(ValueError, match=r"endpoints: no service is called 'blbo'\. Did you mean 'blob'"):
        check_endpoints({"blbo": "https://example.com"}, ("blob", "arm"), "endpoints")
    with pytest.raises(ValueError, match="Known are: blob, arm"):
        check_endpoints({"zzzzz": "https://example.com"}, ("blob", "arm"), "endpoints")


def test_a_wrong_address_is_named_by_its_service() -> None:
    with pytest.raises(ValueError, match="endpoints: the address of 'arm' must"):
        check_endpoints({"blob": "https://example.com", "arm": "x"}, ("blob", "arm"), "endpoints")
    assert check_endpoints({"arm": "http://a/"}, ("arm",), "endpoints") == {"arm": "http://a"}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("shop.example.com", "https://shop.example.com"),
        (" https://shop.example.com:8443/ ", "https://shop.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_host_becomes_an_address(host: str, address: str) -> None:
    assert host_address(host, "domain", "shop.example.com") == address


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("http://shop.example.com", "the key in the clear"),
        ("shop.example.com/path", "such as a.example.com"),
        ("user:hunter2@shop.example.com", "without a user"),
        ("shop .example.com", "without spaces"),
        ("ftp://shop.example.com", "such as a.example.com"),
        ("", "such as a.example.com"),
    ],
)
def test_what_is_no_host_is_refused_and_not_repeated(host: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        host_address(host, "domain", "a.example.com", "the key")
    assert str(caught.value).startswith("domain ")
    assert "hunter2" not in str(caught.value)
