"""Each way to log in reaches Azure as the right identity; tokens are renewed in time and once."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prefect_azure import AzureContainerInstanceCredentials, AzureCredentials
from prefect_azure._clients import forget_clients
from prefect_azure._identity import forget_identities
from prefect_azure._tokens import SharedTokenCredential
from prefect_azure.errors import (
    AzureCredentialsError,
    AzureCredentialsExpired,
    AzureCredentialsMissing,
    AzureCredentialsRefused,
    AzureUnavailable,
)
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.azure_identity import AzureIdentity

ARM = "https://management.azure.com/.default"


@pytest.fixture
def entra(
    azure_identity: AzureIdentity, clean_azure_environment: None, monkeypatch: pytest.MonkeyPatch
) -> AzureIdentity:
    """An Entra ID that knows nobody yet, and that clients trust."""
    azure_identity.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    forget_identities()
    forget_clients()
    return azure_identity


def _secret(entra: AzureIdentity, **_: Any) -> tuple[AzureCredentials, str]:
    app = entra.application()
    block = AzureCredentials(
        tenant_id=entra.tenant_id, client_id=app.client_id, client_secret=app.client_secret, authority=entra.authority
    )
    return block, app.client_id


def _certificate_text(entra: AzureIdentity, **_: Any) -> tuple[AzureCredentials, str]:
    app = entra.application()
    text = entra.certificate(app)
    block = AzureCredentials(
        tenant_id=entra.tenant_id, client_id=app.client_id, certificate=text, authority=entra.authority
    )
    return block, app.client_id


def _certificate_file(entra: AzureIdentity, folder: Path, **_: Any) -> tuple[AzureCredentials, str]:
    app = entra.application()
    path = folder / "worker.pem"
    path.write_text(entra.certificate(app))
    block = AzureCredentials(
        tenant_id=entra.tenant_id, client_id=app.client_id, certificate=str(path), authority=entra.authority
    )
    return block, app.client_id


def _workload_fields(entra: AzureIdentity, folder: Path, **_: Any) -> tuple[AzureCredentials, str]:
    app = entra.application()
    path = folder / "token"
    path.write_text(entra.workload_token(app))
    block = AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=app.client_id,
        federated_token_file=str(path),
        authority=entra.authority,
    )
    return block, app.client_id


def _workload_environment(
    entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureCredentials, str]:
    app = entra.application()
    path = folder / "token"
    path.write_text(entra.workload_token(app))
    monkeypatch.setenv("AZURE_TENANT_ID", entra.tenant_id)
    monkeypatch.setenv("AZURE_CLIENT_ID", app.client_id)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.authority)
    return AzureCredentials(identity="workload"), app.client_id


def _machine(entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AzureCredentials, str]:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    return AzureCredentials(identity="managed"), entra.system_assigned


def _user_assigned(entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AzureCredentials, str]:
    _machine(entra, folder, monkeypatch)
    client_id = entra.user_assigned()
    return AzureCredentials(identity="managed", client_id=client_id), client_id


def _app_service(entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AzureCredentials, str]:
    for name, value in entra.app_service_environment().items():
        monkeypatch.setenv(name, value)
    return AzureCredentials(identity="managed"), entra.system_assigned


def _cli(entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AzureCredentials, str]:
    monkeypatch.setenv("PATH", entra.write_az(folder))
    return AzureCredentials(identity="cli"), entra.user


def _default_environment(
    entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureCredentials, str]:
    app = entra.application()
    monkeypatch.setenv("AZURE_TENANT_ID", entra.tenant_id)
    monkeypatch.setenv("AZURE_CLIENT_ID", app.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", app.client_secret)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.authority)
    return AzureCredentials(), app.client_id


def _default_machine(
    entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureCredentials, str]:
    _machine(entra, folder, monkeypatch)
    return AzureCredentials(), entra.system_assigned


def _default_user_assigned(
    entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureCredentials, str]:
    _machine(entra, folder, monkeypatch)
    client_id = entra.user_assigned("picked")
    return AzureCredentials(identity="default", client_id=client_id), client_id


def _default_kwargs(
    entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[AzureContainerInstanceCredentials, str]:
    _machine(entra, folder, monkeypatch)
    client_id = entra.user_assigned("by-kwargs")
    kwargs = {"managed_identity_client_id": client_id, "exclude_environment_credential": True}
    return AzureContainerInstanceCredentials(credential_kwargs=kwargs), client_id


def _default_cli(entra: AzureIdentity, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AzureCredentials, str]:
    monkeypatch.setenv("PATH", entra.write_az(folder))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")  # the SDK's own switch: no look for a machine
    return AzureCredentials(), entra.user


WAYS = {
    "client-secret": _secret,
    "certificate-text": _certificate_text,
    "certificate-file": _certificate_file,
    "workload-fields": _workload_fields,
    "workload-environment": _workload_environment,
    "managed-machine": _machine,
    "managed-user-assigned": _user_assigned,
    "managed-app-service": _app_service,
    "cli": _cli,
    "default-environment": _default_environment,
    "default-machine": _default_machine,
    "default-user-assigned": _default_user_assigned,
    "default-kwargs": _default_kwargs,
    "default-cli": _default_cli,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_to_log_in_gives_a_token_of_its_identity(
    entra: AzureIdentity, way: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, expected = way(entra, folder=tmp_path, monkeypatch=monkeypatch)
    assert not entra.requests  # nobody is asked before a token is needed
    token = block.get_access_token()
    assert entra.check(token, "https://management.azure.com") == expected


@pytest.mark.parametrize("way", [_secret, _machine], ids=["client-secret", "managed"])
def test_async_clients_have_the_same_token(
    entra: AzureIdentity, way: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, expected = way(entra, folder=tmp_path, monkeypatch=monkeypatch)

    async def ask() -> str:
        async with block.get_async_token_credential() as credential:
            await credential.get_token(ARM)
            return (await credential.get_token_info(ARM)).token

    first, second = asyncio.run(ask()), asyncio.run(ask())  # in two event loops
    assert first == second == block.get_token_credential().get_token(ARM).token
    assert entra.check(first) == expected
    assert len(entra.issued) == 1


def test_equal_blocks_share_a_token_and_others_do_not(entra: AzureIdentity) -> None:
    first, second = (_secret(entra)[0] for _ in range(2))
    assert first.get_access_token() == second.get_access_token()
    other = entra.application("other")
    block = AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=other.client_id,
        client_secret=other.client_secret,
        authority=entra.authority,
    )
    assert entra.check(block.get_access_token()) == other.client_id


def test_a_token_is_for_one_service(entra: AzureIdentity) -> None:
    block, client_id = _secret(entra)
    for audience in ("https://vault.azure.net", "https://storage.azure.com"):
        assert entra.check(block.get_access_token(f"{audience}/.default"), audience) == client_id
    assert len(entra.issued) == 2


def test_a_token_is_asked_for_once_by_many_threads(entra: AzureIdentity) -> None:
    block, _ = _secret(entra)
    with ThreadPoolExecutor(50) as pool, entra.hold():
        asked = [pool.submit(block.get_access_token) for _ in range(50)]
        _until(lambda: bool(entra.requests))
    assert len({one.result() for one in asked}) == 1
    assert len(entra.issued) == 1


def test_a_token_is_renewed_before_it_expires(entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    source, clock = _Source(), _clock(monkeypatch)
    shared = SharedTokenCredential(source)
    assert shared.get_token(ARM).token == "1"
    clock[0] += source.lifetime - 301
    assert shared.get_token(ARM).token == "1"
    clock[0] += 2
    assert shared.get_token(ARM).token == "2"


def test_the_old_token_serves_while_another_thread_renews_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source, clock = _Source(), _clock(monkeypatch)
    shared = SharedTokenCredential(source)
    shared.get_token(ARM)
    clock[0] += source.lifetime - 100
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(shared.get_token, ARM)
        _until(lambda: source.asked == 2)
        assert shared.get_token(ARM).token == "1"
        source.gate.set()
        assert renewing.result().token == "2"
    assert shared.get_token(ARM).token == "2"


def test_the_old_token_serves_while_it_cannot_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    source, clock = _Source(), _clock(monkeypatch)
    shared = SharedTokenCredential(source)
    shared.get_token(ARM)
    clock[0] += source.lifetime - 100
    source.error = OSError("unreachable")
    assert [shared.get_token(ARM).token for _ in range(3)] == ["1"] * 3
    assert source.asked == 2  # it is not asked with every request
    clock[0] += 200
    with pytest.raises(OSError, match="unreachable"):
        shared.get_token(ARM)


def test_a_short_token_is_not_renewed_with_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = _Source(lifetime=60), _clock(monkeypatch)
    shared = SharedTokenCredential(source)
    assert [shared.get_token(ARM).token for _ in range(5)] == ["1"] * 5


def test_a_challenge_gets_another_token(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = _Source(), _clock(monkeypatch)
    shared = SharedTokenCredential(source)
    shared.get_token(ARM)
    assert shared.get_token(ARM, claims="{}").token == "2"
    assert shared.get_token(ARM).token == "2"


def test_a_credential_of_ones_own_is_used(entra: AzureIdentity) -> None:
    source = _Source()
    block = AzureCredentials.from_token_credential(source)
    assert block.get_access_token() == "1"
    assert AzureCredentials().with_credential(source).get_access_token() in ("1", "2")
    assert not entra.requests


def test_an_async_credential_of_ones_own_serves_async_clients_only() -> None:
    class Own:
        async def get_token(self, *scopes: str, **_: Any) -> Any:
            return scopes

    block = AzureCredentials.from_token_credential(Own())
    assert asyncio.run(block.get_async_token_credential().get_token(ARM)) == (ARM,)
    with pytest.raises(AzureCredentialsError, match=r"Own: it is an async one.*Give a synchronous credential"):
        block.get_token_credential()


def test_what_is_no_credential_is_refused() -> None:
    with pytest.raises(TypeError, match=r"credential must have a method get_token.*got str"):
        AzureCredentials().with_credential("secret")  # pyright: ignore[reportArgumentType]


def test_a_block_with_a_credential_of_ones_own_is_not_saved(prefect_harness: None) -> None:
    block = AzureCredentials.from_token_credential(_Source())
    with pytest.raises(ValueError, match=r"AzureCredentials has a credential of your own.*cannot be saved"):
        block.save("own-credential")
    AzureCredentials().save("no-credential-of-ones-own", overwrite=True)
    loaded = AzureCredentials.load("no-credential-of-ones-own")
    with pytest.raises(ValueError, match="cannot be saved"):
        loaded.with_credential(_Source()).save("no-credential-of-ones-own", overwrite=True)


def _break_secret(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    block, _ = _secret(entra)
    entra.application().client_secret = "another"
    return block


def _expire_secret(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    block, _ = _secret(entra)
    entra.application().secret_is_expired = True
    return block


def _unknown_application(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    block, _ = _secret(entra)
    entra.application().is_disabled = True
    return block


def _unknown_tenant(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    app = entra.application()
    return AzureCredentials(
        tenant_id="11111111-1111-1111-1111-111111111111",
        client_id=app.client_id,
        client_secret=app.client_secret,
        authority=entra.authority,
    )


def _unknown_certificate(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    block, _ = _certificate_text(entra)
    entra.application().thumbprints.clear()
    return block


def _expired_workload(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    app = entra.application()
    path = folder / "token"
    path.write_text(entra.workload_token(app, lifetime_seconds=-3600))
    return AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=app.client_id,
        federated_token_file=str(path),
        authority=entra.authority,
    )


def _foreign_workload(entra: AzureIdentity, folder: Path) -> AzureCredentials:
    path = folder / "token"
    path.write_text(entra.workload_token(entra.application("other")))
    return AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=entra.application().client_id,
        federated_token_file=str(path),
        authority=entra.authority,
    )


REFUSED: dict[str, tuple[Callable[..., AzureCredentials], type[Exception], str]] = {
    "wrong-secret": (_break_secret, AzureCredentialsRefused, "AADSTS7000215.*Check client_secret"),
    "expired-secret": (_expire_secret, AzureCredentialsExpired, "AADSTS7000222.*Make a new one"),
    "unknown-application": (_unknown_application, AzureCredentialsRefused, "AADSTS700016.*Check client_id"),
    "unknown-tenant": (_unknown_tenant, AzureCredentialsRefused, "Check tenant_id, and cloud or authority"),
    "unknown-certificate": (_unknown_certificate, AzureCredentialsRefused, "AADSTS700027.*Check certificate"),
    "expired-workload-token": (_expired_workload, AzureCredentialsError, "AADSTS700024"),
    "foreign-workload-token": (_foreign_workload, AzureCredentialsRefused, "AADSTS700213.*federated credential"),
}


@pytest.mark.parametrize(("make", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_entra_refuses_is_explained(
    entra: AzureIdentity, make: Callable[..., AzureCredentials], error: type[Exception], said: str, tmp_path: Path
) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    block = make(entra, folder=tmp_path)
    with pytest.raises(error, match=said) as caught:
        block.get_access_token()
    if said.startswith("AADSTS"):
        assert isinstance(caught.value, ClientAuthenticationError)
    assert "Trace ID" not in str(caught.value)
    assert str(caught.value).startswith(("Service principal", "Workload identity"))


def test_a_wrong_secret_is_never_said(entra: AzureIdentity, canary: str, no_canary_leaks: Any) -> None:
    app = entra.application()
    block = AzureCredentials(
        tenant_id=entra.tenant_id, client_id=app.client_id, client_secret=canary, authority=entra.authority
    )
    with pytest.raises(AzureCredentialsRefused) as caught:
        block.get_access_token()
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.add("repr", repr(block))


def test_no_identity_at_all_is_explained(entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(AzureCredentialsMissing, match=r"Default Azure credential: (.|\n)*set up an identity"):
        AzureCredentials().get_access_token()


def test_a_machine_without_identity_is_explained(entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", entra.endpoint)
    entra.detach_identity()
    with pytest.raises(
        AzureCredentialsMissing, match=r"Managed identity: .*(Identity not found|no response from).*set up an identity"
    ):
        AzureCredentials(identity="managed").get_access_token()


def test_a_logged_out_cli_is_explained(entra: AzureIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block, _ = _cli(entra, tmp_path, monkeypatch)
    entra.log_out()
    with pytest.raises(AzureCredentialsMissing, match=r"Login of the Azure CLI: .*az login"):
        block.get_access_token()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_of_entra_that_passes_is_repeated(entra: AzureIdentity, status: int) -> None:
    block, client_id = _secret(entra)
    entra.fail(2, status)
    assert entra.check(block.get_access_token()) == client_id


def test_a_failure_of_entra_that_lasts_is_transient(entra: AzureIdentity) -> None:
    block, _ = _secret(entra)
    entra.fail(100, 503)
    with pytest.raises(AzureUnavailable, match=r"Service principal .*Try again later"):
        block.get_access_token()
    assert len(entra.requests) < 10


def test_an_entra_that_cannot_be_reached_is_transient(entra: AzureIdentity) -> None:
    app = entra.application()
    block = AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=app.client_id,
        client_secret=app.client_secret,
        authority="https://localhost:9",
    )
    with pytest.raises(AzureUnavailable, match="no answer"):
        block.get_access_token()


def test_a_certificate_file_that_is_not_there_is_named(entra: AzureIdentity, tmp_path: Path) -> None:
    path = str(tmp_path / "missing.pem")
    block = AzureCredentials(tenant_id="t", client_id="c", certificate=path)
    with pytest.raises(AzureCredentialsError, match=r"there is no certificate file '.*missing\.pem'"):
        block.get_access_token()


@pytest.mark.parametrize(
    "text", ["MIIJ+secret/x=", "MIIJ" + "c2VjcmV0" * 60, "MIIJsecret\nx="], ids=["short", "long", "lines"]
)
def test_a_certificate_without_its_first_line_is_not_repeated(text: str) -> None:
    block = AzureCredentials(tenant_id="t", client_id="c", certificate=text)  # pyright: ignore[reportArgumentType]

    with pytest.raises(AzureCredentialsError, match="certificate is not a certificate with its private key") as failure:
        block.get_token_credential()

    shown = "".join(traceback.format_exception(failure.value))
    assert text not in shown
    assert repr(text) not in shown


def test_a_certificate_without_its_key_is_explained(entra: AzureIdentity, canary: str) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{canary}\n-----END CERTIFICATE-----"
    block = AzureCredentials(tenant_id="t", client_id="c", certificate=text)
    with pytest.raises(AzureCredentialsError, match="certificate is not a certificate with its private key") as caught:
        block.get_access_token()
    assert canary not in str(caught.value)


def test_a_workload_identity_without_a_token_is_explained(entra: AzureIdentity) -> None:
    with pytest.raises(AzureCredentialsError, match="Workload identity: set tenant_id, client_id and federated"):
        AzureCredentials(identity="workload").get_access_token()


class _Source:
    """A credential whose tokens are numbers."""

    def __init__(self, lifetime: float = 3600) -> None:
        self.lifetime = lifetime
        self.asked = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        self.asked += 1
        if self.error:
            raise self.error
        self.gate.wait(10)
        return AccessToken(str(self.asked), int(SharedTokenCredential.clock() + self.lifetime))


def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_800_000_000.0]
    monkeypatch.setattr(SharedTokenCredential, "clock", staticmethod(lambda: now[0]))
    return now


def _until(condition: Callable[[], bool]) -> None:
    poll(lambda: condition() or None, subject="the request", timeout_seconds=10, interval_seconds=0.01)
