"""The local Entra ID and managed identities, as Microsoft's own library sees them."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests.backends.azure_identity import AzureIdentity

identity_sdk: Any = pytest.importorskip("azure.identity", reason="The Entra ID tests need azure-identity.")

ARM = "https://management.azure.com"


@pytest.fixture
def entra(azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> AzureIdentity:
    azure_identity.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    return azure_identity


def _options(entra: AzureIdentity) -> dict[str, Any]:
    return {"authority": entra.authority, "disable_instance_discovery": True, "retry_total": 0}


def _secret(entra: AzureIdentity, secret: str | None = None) -> Any:
    app = entra.application()
    return identity_sdk.ClientSecretCredential(
        entra.tenant_id, app.client_id, secret or app.client_secret, **_options(entra)
    )


def _token(credential: Any) -> str:
    return credential.get_token(f"{ARM}/.default").token


def test_a_secret_gets_a_token_of_its_application(entra: AzureIdentity) -> None:
    token = _token(_secret(entra))
    assert entra.check(token, ARM) == entra.application().client_id
    assert entra.check(token, "https://vault.azure.net") is None
    assert [(issued.grant, issued.audience) for issued in entra.issued] == [("client_secret", ARM)]


def test_another_secret_gets_none(entra: AzureIdentity) -> None:
    with pytest.raises(Exception, match="AADSTS7000215"):
        _token(_secret(entra, "another"))
    assert not entra.issued


def test_a_certificate_must_be_the_applications(entra: AzureIdentity) -> None:
    app, other = entra.application(), entra.application("other")
    pem = entra.certificate(app)

    def credential(client_id: str) -> Any:
        return identity_sdk.CertificateCredential(
            entra.tenant_id, client_id, certificate_data=pem.encode(), **_options(entra)
        )

    assert entra.check(_token(credential(app.client_id))) == app.client_id
    with pytest.raises(Exception, match="AADSTS700027"):
        _token(credential(other.client_id))


def test_a_workloads_token_must_be_signed_and_fresh(entra: AzureIdentity, tmp_path: Path) -> None:
    app = entra.application()
    file = tmp_path / "token"

    def ask(content: str) -> str:
        file.write_text(content)
        credential = identity_sdk.WorkloadIdentityCredential(
            tenant_id=entra.tenant_id, client_id=app.client_id, token_file_path=str(file), **_options(entra)
        )
        return _token(credential)

    good = entra.workload_token(app)
    assert entra.check(ask(good)) == app.client_id
    head, body, _ = good.split(".")
    for bad, code in (
        (f"{head}.{body}.AAAA", "AADSTS50013"),
        (entra.workload_token(app, lifetime_seconds=-3600), "AADSTS700024"),
        (entra.workload_token(entra.application("other")), "AADSTS700213"),
        ("nonsense", "AADSTS50027"),
    ):
        with pytest.raises(Exception, match=code):
            ask(bad)


def test_a_machine_has_its_own_identity_and_attached_ones(
    entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    assert entra.check(_token(identity_sdk.ManagedIdentityCredential())) == entra.system_assigned
    attached = entra.user_assigned()
    assert entra.check(_token(identity_sdk.ManagedIdentityCredential(client_id=attached))) == attached
    with pytest.raises(Exception, match="Identity not found"):
        _token(identity_sdk.ManagedIdentityCredential(client_id="11111111-1111-1111-1111-111111111111"))


def test_app_service_asks_for_its_header(entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in entra.app_service_environment().items():
        monkeypatch.setenv(name, value)
    assert entra.check(_token(identity_sdk.ManagedIdentityCredential())) == entra.system_assigned
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{entra.endpoint}/msi/token?resource={ARM}&api-version=2019-08-01")
    caught.value.close()
    assert caught.value.code == 401


def test_the_command_prints_a_token_while_somebody_is_logged_in(entra: AzureIdentity, tmp_path: Path) -> None:
    entra.write_az(tmp_path)
    command = [str(tmp_path / "az"), "account", "get-access-token", "--resource", ARM]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '"accessToken"' in printed
    assert entra.issued[-1].principal == entra.user
    entra.log_out()
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert "az login" in failed.stderr


def test_a_token_is_good_until_it_expires(entra: AzureIdentity) -> None:
    token = _token(_secret(entra))
    entra.shift_clock(3000)
    assert entra.check(token)
    entra.shift_clock(700)
    assert entra.check(token) is None
    entra.reset()
    again = _token(_secret(entra))
    entra.expire_all()
    assert entra.check(again) is None


def test_failures_come_first_and_are_counted(entra: AzureIdentity) -> None:
    entra.fail(1, 503)
    with pytest.raises(Exception, match=r"503|authority configuration"):
        _token(_secret(entra))
    assert entra.check(_token(_secret(entra)))


def test_who_does_not_trust_the_authority_gets_nothing(entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Exception, match=r"(?i)certificate"):
        _token(_secret(entra))
    assert not entra.requests
