"""The line to Microsoft Entra ID breaks, or it says no for a while: what becomes of a login."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Literal

import pytest

from prefect_azure import AzureCredentials, _identity
from prefect_azure._tokens import SharedTokenCredential
from prefect_azure.errors import AzureUnavailable
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.suites import HttpFaultSuite

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge

WAIT_SECONDS = 0.7


@pytest.fixture
def entra(
    azure_identity: AzureIdentity, clean_azure_environment: None, monkeypatch: pytest.MonkeyPatch
) -> AzureIdentity:
    """An Entra ID that knows nobody yet, and that clients trust; nobody waits for it for long."""
    azure_identity.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    monkeypatch.setattr(_identity, "TOKEN_TIMEOUT_SECONDS", (WAIT_SECONDS, WAIT_SECONDS))
    _identity.forget_identities()
    return azure_identity


def principal(entra: AzureIdentity, authority: str) -> AzureCredentials:
    app = entra.application()
    return AzureCredentials(
        tenant_id=entra.tenant_id, client_id=app.client_id, client_secret=app.client_secret, authority=authority
    )


class TestServicePrincipal(HttpFaultSuite):
    """A token by a client secret. One that is asked for twice does no harm."""

    error = AzureUnavailable
    named = "Service principal"
    asks: ClassVar[str] = "/oauth2/v2.0/token"

    @pytest.fixture
    def edge(
        self, entra: AzureIdentity, http_edge: Callable[..., HttpEdge], monkeypatch: pytest.MonkeyPatch
    ) -> HttpEdge:
        certificate = entra.ca.issue("edge", "localhost", "127.0.0.1")
        trust = ssl.create_default_context(cafile=entra.ca_bundle)
        edge = http_edge(entra.authority, context=certificate.server_context(), trust=trust)
        # What describes the tenant names the token endpoint.
        monkeypatch.setattr(entra._identities, "authority", edge.url)  # pyright: ignore[reportPrivateUsage]
        self.entra = entra
        self.secret = entra.application().client_secret
        self.tokens: dict[str, str] = {}
        return edge

    def change(self, edge: HttpEdge, key: str) -> None:
        self.tokens[key] = principal(self.entra, edge.url).get_access_token()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return int(self.entra.check(self.tokens.get(key, "")) is not None)

    def strikes(self, call: EdgeCall) -> bool:
        return call.path.endswith(self.asks)


class TestDescriptionOfTheTenant(TestServicePrincipal):
    """What says where tokens are asked for."""

    asks = "/.well-known/openid-configuration"


def test_a_host_that_no_resolver_knows_is_told(entra: AzureIdentity) -> None:
    began = time.monotonic()
    with pytest.raises(AzureUnavailable, match=rf"(?s)Service principal.*{UNRESOLVABLE_HOST}"):
        principal(entra, f"https://{UNRESOLVABLE_HOST}").get_access_token()
    assert time.monotonic() - began < 20


def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(AzureUnavailable, match=r"(?s)Service principal.*certificate verify failed"):
        principal(entra, entra.authority).get_access_token()
    assert entra.requests == []


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_costs_a_token_at_most(
    entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    block = principal(entra, entra.authority)
    block.get_access_token()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    monkeypatch.setattr(SharedTokenCredential, "clock", staticmethod(lambda: now() + jump))
    assert entra.check(block.get_access_token()) == entra.application().client_id
    assert len(entra.issued) <= 2


@pytest.mark.parametrize("identity", ["default", "managed"])
def test_a_machine_that_does_not_answer_is_asked_again(
    entra: AzureIdentity,
    http_edge: Callable[..., HttpEdge],
    monkeypatch: pytest.MonkeyPatch,
    identity: Literal["default", "managed"],
) -> None:
    edge = http_edge(entra.endpoint)
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value.replace(entra.endpoint, edge.url))
    with ThreadPoolExecutor(1) as pool, edge.fault("time-out") as struck:
        token = pool.submit(AzureCredentials(identity=identity).get_access_token).result(timeout=20)
        assert struck() == 1
    assert entra.check(token) == entra.system_assigned
