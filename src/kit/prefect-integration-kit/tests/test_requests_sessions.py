"""Sessions of `requests` trust a private authority beside the public ones, or nobody is checked, as they are told."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from prefect_integration_kit.requests_sessions import requests_session
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.gitlab_api import GitLabApi


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return PrivateCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def host(authority: PrivateCA) -> Iterator[GitLabApi]:
    with GitLabApi(authority.issue("api", "127.0.0.1", "localhost")) as api:
        api.token("x")
        yield api


@pytest.fixture(autouse=True)
def _no_bundle_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def _status(session: requests.Session, host: GitLabApi) -> int:
    with session:
        return session.get(f"{host.endpoint}/api/v4/version", headers={"PRIVATE-TOKEN": "x"}, timeout=30).status_code


def test_an_authority_is_trusted_by_its_file(host: GitLabApi, authority: PrivateCA) -> None:
    assert _status(requests_session(str(authority.ca_file)), host) == 200


def test_an_authority_is_trusted_by_its_text(host: GitLabApi, authority: PrivateCA) -> None:
    assert _status(requests_session(authority.ca_file.read_text()), host) == 200


def test_the_home_folder_of_a_path_is_found(
    host: GitLabApi, authority: PrivateCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(authority.ca_file.parent))
    assert _status(requests_session(f"~/{authority.ca_file.name}"), host) == 200


def test_public_authorities_are_trusted_as_well(authority: PrivateCA) -> None:
    adapter: Any = requests_session(str(authority.ca_file)).get_adapter("https://host")
    context: ssl.SSLContext = adapter.poolmanager.connection_pool_kw["ssl_context"]
    known = {str(each["subject"]) for each in ssl.create_default_context().get_ca_certs()}
    assert known < {str(each["subject"]) for each in context.get_ca_certs()} or not known
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("bundle", [None, ""], ids=["none", "empty"])
def test_without_it_the_host_is_not_trusted(bundle: str | None, host: GitLabApi) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        _status(requests_session(bundle), host)


def test_another_authority_is_not_trusted(host: GitLabApi, tmp_path: Path) -> None:
    other = PrivateCA(tmp_path)
    with pytest.raises(requests.exceptions.SSLError):
        _status(requests_session(str(other.ca_file)), host)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("with_bundle", [True, False], ids=["bundle", "alone"])
def test_a_host_need_not_prove_itself_if_it_is_said_so(
    with_bundle: bool, host: GitLabApi, authority: PrivateCA, tmp_path: Path
) -> None:
    other = str(PrivateCA(tmp_path).ca_file) if with_bundle else None
    assert _status(requests_session(other, verify=False), host) == 200


def test_the_authority_holds_behind_a_proxy(authority: PrivateCA) -> None:
    adapter: Any = requests_session(str(authority.ca_file)).get_adapter("https://host")
    manager = adapter.proxy_manager_for("http://proxy.example:3128")
    assert manager.connection_pool_kw["ssl_context"] is adapter.poolmanager.connection_pool_kw["ssl_context"]


def test_what_is_no_certificate_is_told_with_the_remedy(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for bundle in (str(tmp_path / "gone.pem"), str(text)):
        with pytest.raises(ValueError, match=r"\.pem' cannot be read as certificates .*Give a PEM file"):
            requests_session(bundle)
    with pytest.raises(ValueError, match="given as text cannot be read") as caught:
        requests_session("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "AAAA" not in str(caught.value)


def test_a_file_that_nobody_asks_for_is_not_read(tmp_path: Path) -> None:
    requests_session(str(tmp_path / "gone.pem"), verify=False)
