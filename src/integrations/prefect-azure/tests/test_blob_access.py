"""Keys, signatures and identities: each way in works, each refusal says what to do, and no secret is told."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.errors import AzureAccessDenied, AzureCredentialsError
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azurite import Azurite, AzuriteFront
from prefect_integration_tests.faces import Call
from prefect_integration_tests.leaks import LeakWatch


def signature(azurite: Azurite, container: str, permission: str = "rwdlac", minutes: float = 10) -> str:
    now = datetime.now(timezone.utc)
    make: Any = generate_container_sas
    return make(
        azurite.account,
        container,
        account_key=azurite.account_key,
        permission=ContainerSasPermissions.from_string(permission),
        start=now - timedelta(hours=1),
        expiry=now + timedelta(minutes=minutes),
    )


def block(name: str, **credentials: Any) -> AzureBlobStorageContainer:
    return AzureBlobStorageContainer(
        container_name=name, base_folder="base", credentials=AzureBlobStorageCredentials(**credentials)
    )


async def there_and_back(container: AzureBlobStorageContainer, call: Call, tmp_path: Path) -> None:
    """Use single requests and folder transfers."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_bytes(b"1")
    await call(container, "put_directory", str(tmp_path / "s"), "x")
    await call(container, "write_path", "x/b", content=b"2")
    await call(container, "get_directory", "x", str(tmp_path / "d"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()} == {"a": b"1", "b": b"2"}


async def test_an_account_key_lets_in(
    azurite: Azurite, azure_container: str, call: Call, tmp_path: Path, engine: str
) -> None:
    container = block(azure_container, account_url=azurite.endpoint, account_key=azurite.account_key)
    await there_and_back(container, call, tmp_path)


async def test_a_shared_access_signature_lets_in(
    azurite: Azurite, azure_container: str, call: Call, tmp_path: Path, engine: str
) -> None:
    sas = signature(azurite, azure_container)
    container = block(azure_container, account_url=azurite.endpoint, sas_token=sas)
    await there_and_back(container, call, tmp_path)
    await call(container, "move_object", "x/a", "x/c")
    assert await call(container, "list_blobs", "") == ["base/x/b", "base/x/c"]


async def test_an_identity_of_entra_id_lets_in(
    azurite_oauth: Azurite,
    azure_identity: AzureIdentity,
    clean_azure_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
    tmp_path: Path,
    engine: str,
) -> None:
    azure_identity.reset()
    for name, value in azure_identity.trust_environment().items():
        monkeypatch.setenv(name, value)
    app = azure_identity.application()
    container = block(
        azurite_oauth.new_container(),
        account_url=azurite_oauth.endpoint,
        tenant_id=azure_identity.tenant_id,
        client_id=app.client_id,
        client_secret=app.client_secret,
    )
    await there_and_back(container, call, tmp_path)
    await call(container, "copy_object", "x/a", "x/c")
    link = await call(container, "sas_url", "x/c")
    import ssl

    context = ssl.create_default_context(cafile=azure_identity.ca_bundle)
    with urllib.request.urlopen(link, context=context) as answer:
        assert answer.read() == b"1"
    with pytest.raises(ValueError, match="seven days"):
        await call(container, "sas_url", "x/c", expires_in_seconds=604_801)


async def test_a_wrong_key_is_refused_without_being_told(
    azurite: Azurite, azure_container: str, call: Call, no_canary_leaks: LeakWatch, canary: str
) -> None:
    import base64

    wrong = base64.b64encode(canary.encode()).decode()
    container = block(azure_container, account_url=azurite.endpoint, account_key=wrong)
    with pytest.raises((AzureCredentialsError, AzureAccessDenied), match="'base/a'") as caught:
        await call(container, "read_path", "a")
    assert isinstance(caught.value, HttpResponseError)
    assert wrong not in f"{caught.value!r}{caught.value.__cause__!r}"
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()


async def test_an_expired_signature_says_so(azurite: Azurite, azure_container: str, call: Call) -> None:
    sas = signature(azurite, azure_container, minutes=-5)
    container = block(azure_container, account_url=azurite.endpoint, sas_token=sas)
    with pytest.raises((AzureCredentialsError, AzureAccessDenied)) as caught:
        await call(container, "read_path", "a")
    assert "sig=" not in str(caught.value)


async def test_what_a_signature_does_not_allow_is_denied(
    azurite: Azurite, azure_container: str, behind: Any, call: Call
) -> None:
    behind.put("base/a", b"1")
    container = block(azure_container, account_url=azurite.endpoint, sas_token=signature(azurite, azure_container, "r"))
    assert await call(container, "read_path", "a") == b"1"
    for method, arguments in (("write_path", ("a", b"2")), ("delete_object", ("a",)), ("list_blobs", ())):
        with pytest.raises(AzureAccessDenied, match="Make a signature with that permission"):
            await call(container, method, *arguments)


async def test_variables_of_somebody_elses_identity_are_not_used(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_TOKEN", "not-ours")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bm90LW91cnM=")
    await there_and_back(fronted, Call("async"), tmp_path)
    assert {request.headers["authorization"].split()[0] for request in azurite_front.requests} == {"SharedKey"}


# Signing


async def test_a_signed_url_lets_others_in_for_a_time(container: AzureBlobStorageContainer, call: Call) -> None:
    await call(container, "write_path", "a ü+%.txt", content=b"hello")
    link = await call(container, "sas_url", "a ü+%.txt", content_disposition="attachment")
    with urllib.request.urlopen(link) as answer:
        assert (answer.read(), answer.headers["Content-Disposition"]) == (b"hello", "attachment")
    put = urllib.request.Request(link, data=b"x", method="PUT", headers={"x-ms-blob-type": "BlockBlob"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(put)
    writing = await call(container, "sas_url", "new", "wc", 60)
    put = urllib.request.Request(writing, data=b"x", method="PUT", headers={"x-ms-blob-type": "BlockBlob"})
    with urllib.request.urlopen(put) as answer:
        assert answer.status == 201
    assert await call(container, "read_path", "new") == b"x"


async def test_a_signature_cannot_sign(azurite: Azurite, azure_container: str, call: Call) -> None:
    container = block(azure_container, account_url=azurite.endpoint, sas_token=signature(azurite, azure_container))
    with pytest.raises(AzureCredentialsError, match="signed by an account key"):
        await call(container, "sas_url", "a")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"permissions": "rq"}, "permissions is 'rq'"),
        ({"permissions": ""}, "permissions is ''"),
        ({"expires_in_seconds": 0}, "expires_in_seconds is 0"),
    ],
    ids=["unknown", "none", "at once"],
)
async def test_what_cannot_be_signed_is_refused(
    container: AzureBlobStorageContainer, call: Call, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        await call(container, "sas_url", "a", **arguments)
