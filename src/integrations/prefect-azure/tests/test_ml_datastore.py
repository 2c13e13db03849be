"""The tasks of azureml-core: datastores are listed, got, registered and filled, by the SDK as it is."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_azure import AzureBlobStorageCredentials, AzureMlCredentials, errors
from prefect_azure.ml_datastore import (
    ml_get_datastore,
    ml_list_datastores,
    ml_register_datastore_blob_container,
    ml_upload_datastore,
)
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azure_ml import AzureMl
from prefect_integration_tests.backends.azurite import Azurite

from ._ml import (
    DATASTORES,
    blobs,
    credentials,
    credentials_for,
    datastore_on,
    keep_discovery_out_of_home,
    lead,
    workspace,
)

__all__ = ["blobs", "credentials", "workspace"]

pytest.importorskip("azureml.core", reason="azureml-core does not load on this Python", exc_type=ImportError)
pytestmark = [
    pytest.mark.usefixtures("prefect_harness", "clean_azure_environment"),
    pytest.mark.xdist_group("azureml"),  # its import takes seconds: once is enough
    pytest.mark.filterwarnings("ignore"),  # of azureml-core about itself
]


@pytest.fixture
def ml(workspace: AzureMl, monkeypatch: pytest.MonkeyPatch) -> AzureMl:
    """The workspace, where the SDKs look for it."""
    keep_discovery_out_of_home(monkeypatch)
    lead(monkeypatch, workspace)
    return workspace


def _tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_datastores_are_listed_in_flows_of_both_kinds(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl
) -> None:
    ml.workspace().add(datastore_on(azurite, "other", "second"))

    @flow
    def work() -> dict[str, Any]:
        return ml_list_datastores(credentials)

    assert sorted(work()) == ["blobs", "second"]
    assert not inspect.iscoroutinefunction(ml_list_datastores.fn)


async def test_a_datastore_is_got_by_name_or_by_default(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl, azure_container: str
) -> None:
    ml.workspace().add(datastore_on(azurite, "other", "second"))
    default: Any = await ml_get_datastore(credentials)
    assert (default.name, default.container_name) == ("blobs", azure_container)
    second: Any = await ml_get_datastore(credentials, "second")
    assert (second.name, second.container_name) == ("second", "other")
    with pytest.raises(errors.AzureNotFound, match=r"Datastore 'third' of Azure ML workspace 'lab'.*third"):
        await ml_get_datastore(credentials, datastore_name="third")
    with pytest.raises(ValueError, match="`datastore_name` is empty"):
        await ml_get_datastore(credentials, " ")
    assert not ml.refused


@pytest.mark.parametrize("as_path", [str, Path], ids=["text", "path"])
async def test_a_folder_is_uploaded_with_all_below_it(
    credentials: AzureMlCredentials, blobs: Any, tmp_path: Path, as_path: Any
) -> None:
    folder = _tree(tmp_path / "data", "a.txt", "deep/er/b.txt", "deep/ü c.txt")
    reference: Any = await ml_upload_datastore(as_path(folder), credentials, target_path=as_path("in/here"))
    assert sorted(blobs.list_blob_names()) == ["in/here/a.txt", "in/here/deep/er/b.txt", "in/here/deep/ü c.txt"]
    assert blobs.download_blob("in/here/deep/ü c.txt").readall().decode() == "deep/ü c.txt"
    assert type(reference).__name__ == "DataReference"
    assert (reference.datastore.name, reference.path_on_datastore) == ("blobs", "in/here")


async def test_files_are_named_relative_to_their_root(
    credentials: AzureMlCredentials, blobs: Any, tmp_path: Path
) -> None:
    folder = _tree(tmp_path, "data/x/1.txt", "data/y/2.txt")
    await ml_upload_datastore(folder / "data/x/1.txt", credentials)
    await ml_upload_datastore([folder / "data/x/1.txt", str(folder / "data/y/2.txt")], credentials, target_path="list")
    await ml_upload_datastore(folder / "data/x/1.txt", credentials, relative_root=tmp_path, target_path="root")
    assert sorted(blobs.list_blob_names()) == ["1.txt", "list/x/1.txt", "list/y/2.txt", "root/data/x/1.txt"]


async def test_files_that_are_there_stay_unless_they_are_to_be_replaced(
    credentials: AzureMlCredentials, blobs: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _tree(tmp_path / "data", "a.txt", "b.txt")
    blobs.upload_blob("a.txt", b"before")
    await ml_upload_datastore(folder, credentials)
    assert blobs.download_blob("a.txt").readall() == b"before"
    assert blobs.download_blob("b.txt").readall() == b"b.txt"
    assert "1 were there and stay" in caplog.text
    await ml_upload_datastore(folder, credentials, datastore_name="blobs", overwrite=True)
    assert blobs.download_blob("a.txt").readall() == b"a.txt"


async def test_an_upload_that_fails_is_an_error_and_not_a_reference(
    credentials: AzureMlCredentials,
    azurite: Azurite,
    azure_container: str,
    ml: AzureMl,
    tmp_path: Path,
    canary: str,
    no_canary_leaks: Any,
) -> None:
    import base64

    file = _tree(tmp_path, "a.txt") / "a.txt"
    ml.workspace().add(datastore_on(azurite, "no-such-container", "gone"))
    with pytest.raises(errors.ContainerNotFound, match=r"File 'a.txt' of datastore 'gone'"):
        await ml_upload_datastore(file, credentials, datastore_name="gone")
    wrong = base64.b64encode(canary.encode()).decode()
    ml.workspace().add(datastore_on(azurite, azure_container, "wrong", credential=wrong))
    with pytest.raises(errors.AzureCredentialsError, match=r"File 'a.txt' of datastore 'wrong'") as raised:
        await ml_upload_datastore(file, credentials, datastore_name="wrong")
    no_canary_leaks.add_error(raised.value)
    ml.workspace().add(datastore_on(azurite, azure_container, "bare", credential_type="None", credential=""))
    with pytest.raises(errors.AzureCredentialsError, match=r"it has none.*machine_learning.upload_to_datastore"):
        await ml_upload_datastore(file, credentials, datastore_name="bare")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "no-such-file"}, "`path`: 'no-such-file' does not exist"),
        ({"path": []}, "`path` is an empty list"),
        ({"path": __file__, "target_path": "../up"}, "`target_path`: '../up' leaves the container"),
        ({"path": __file__, "relative_root": "/no/such"}, "`relative_root`: .* is not below '/no/such'"),
    ],
    ids=["missing", "empty", "upwards", "root"],
)
async def test_paths_that_cannot_be_are_refused_before_any_request(
    credentials: AzureMlCredentials, ml: AzureMl, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        await ml_upload_datastore(ml_credentials=credentials, **arguments)
    assert not ml.calls


async def test_a_container_is_registered_with_the_key_of_the_credentials(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl
) -> None:
    key = azurite.account_key
    blob_credentials = AzureBlobStorageCredentials(
        connection_string=f"DefaultEndpointsProtocol=https;AccountName=museum;AccountKey={key};EndpointSuffix=core.windows.net"  # pyright: ignore[reportArgumentType]
    )
    made: Any = await ml_register_datastore_blob_container("images", credentials, blob_credentials)
    kept = ml.workspace().datastores["images"]
    assert (made.name, kept.container, kept.account, kept.credential) == ("images", "images", "museum", key)
    assert ml.workspace().default == "blobs"
    with pytest.raises(errors.AzureInvalidRequest, match=r"Datastore 'images'.*already exists"):
        await ml_register_datastore_blob_container("others", credentials, blob_credentials, datastore_name="images")
    await ml_register_datastore_blob_container(
        "others", credentials, blob_credentials, datastore_name="images", overwrite=True, set_as_default=True
    )
    assert (ml.workspace().datastores["images"].container, ml.workspace().default) == ("others", "images")


async def test_a_container_is_registered_with_a_signature_or_without_a_secret(
    credentials: AzureMlCredentials, ml: AzureMl
) -> None:
    url = "https://museum.blob.core.windows.net"
    sas = "sv=2024-01-01&sig=abc%3D"
    for fields, kind, secret in (({"sas_token": sas}, "Sas", sas), ({}, "None", "")):
        blob_credentials = AzureBlobStorageCredentials(account_url=url, **fields)
        await ml_register_datastore_blob_container("images", credentials, blob_credentials, overwrite=True)
        kept = ml.workspace().datastores["images"]
        assert (kept.account, kept.credential_type, kept.credential) == ("museum", kind, secret)


async def test_bad_names_and_connection_strings_are_refused_before_any_request(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl
) -> None:
    good = AzureBlobStorageCredentials(connection_string=azurite.connection_string)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`container_name` is empty"):
        await ml_register_datastore_blob_container(" ", credentials, good)
    with pytest.raises(ValueError, match="`datastore_name`: 'a b' may have"):
        await ml_register_datastore_blob_container("images", credentials, good, datastore_name="a b")
    bad = AzureBlobStorageCredentials(connection_string="connection_string")  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.AzureCredentialsError):
        await ml_register_datastore_blob_container("images", credentials, bad)
    assert not ml.calls


def test_a_workspace_that_is_not_there_or_not_allowed_is_named(
    credentials: AzureMlCredentials, azure_identity: AzureIdentity, ml: AzureMl
) -> None:
    from azureml.exceptions import ProjectSystemException

    missing = credentials_for(ml, azure_identity, workspace_name="other")
    with pytest.raises(errors.AzureNotFound, match="Azure ML workspace 'other'") as raised:
        missing.get_workspace()
    assert isinstance(raised.value, ProjectSystemException)
    ml.denied.add("Microsoft.MachineLearningServices/workspaces/read")
    with pytest.raises(
        errors.AzureAccessDenied, match=r"Grant .*Microsoft\.MachineLearningServices/workspaces/read"
    ) as denied:
        credentials.get_workspace()
    assert denied.value.http_status == 403


def test_a_wrong_secret_is_refused_with_its_remedy_and_not_said(
    ml: AzureMl, azure_identity: AzureIdentity, canary: str, no_canary_leaks: Any
) -> None:
    wrong = credentials_for(ml, azure_identity, service_principal_password=canary)
    no_canary_leaks.add("repr", repr(wrong))
    with pytest.raises(errors.AzureCredentialsError, match=r"Azure ML workspace 'lab'|AADSTS7000215") as raised:
        wrong.get_workspace()
    no_canary_leaks.add_error(raised.value)


async def test_datastores_that_may_not_be_written_name_the_action(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl
) -> None:
    ml.denied.add(f"{DATASTORES}write")
    good = AzureBlobStorageCredentials(connection_string=azurite.connection_string)  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.AzureAccessDenied, match="datastores/write"):
        await ml_register_datastore_blob_container("images", credentials, good)


async def test_a_short_failure_is_outlasted(credentials: AzureMlCredentials, ml: AzureMl) -> None:
    ml.fail("Workspaces_Get", when="cut")
    ml.fail("OwnDatastores_Get", 503)
    datastore: Any = await ml_get_datastore(credentials, "blobs")
    assert datastore.name == "blobs"
    assert len(ml.calls_of("OwnDatastores_Get")) == 2


def test_the_workspace_is_opened_by_any_identity(
    ml: AzureMl, azure_identity: AzureIdentity, credentials: AzureMlCredentials
) -> None:
    class OfMyOwn:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            asked.append(scopes)
            return credentials.get_token_credential().get_token(*scopes)

    asked: list[Any] = []
    workspace: Any = credentials.with_credential(OfMyOwn()).get_workspace()  # pyright: ignore[reportArgumentType]
    assert workspace.name == "lab"
    assert asked
