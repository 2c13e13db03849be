"""The deployment steps: their conformance suite, and who logs in with what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from azure.core import exceptions as azure_exceptions
from pydantic import SecretStr

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure._identity import forget_identities
from prefect_azure.deployments import steps
from prefect_azure.errors import AzureAccessDenied, AzureCredentialsError, ContainerNotFound
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_tests.suites import StepSuite

if TYPE_CHECKING:
    from prefect_integration_tests.backends._azurite_front import AzuriteFront
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.azurite import Azurite

    from .conftest import BehindBlobs

# Nobody can store another: the client and the service both resolve `..` between slashes before a blob is named.
UPWARD = ("..\\..\\evil.txt", "/abs/evil.txt")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "flow.py").write_text("print('hello')")
    (folder / "sub" / "data.txt").write_text("1")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def login(azurite: Azurite) -> dict[str, Any]:
    """Fields of a credentials block that reach the store."""
    return {"connection_string": azurite.connection_string}


class TestSteps(StepSuite):
    upward_keys: ClassVar[tuple[str, ...]] = UPWARD

    @pytest.fixture
    def raw(self, behind: BehindBlobs, azure_container: str, login: dict[str, Any]) -> BehindBlobs:
        self.inputs = {"container": azure_container, "credentials": login}
        return behind

    def _step(self, name: str, folder: str) -> dict[str, dict[str, Any]]:
        return {f"prefect_azure.deployments.steps.{name}": {**self.inputs, "folder": folder}}

    def push_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("push_to_azure_blob_storage", folder)

    def pull_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("pull_from_azure_blob_storage", folder)


def test_steps_return_what_later_steps_need(
    behind: BehindBlobs,
    azure_container: str,
    login: dict[str, Any],
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushed = steps.push_to_azure_blob_storage(azure_container, "app", login)
    assert pushed == {"container": azure_container, "folder": "app"}
    assert sorted(behind.keys()) == ["app/flow.py", "app/sub/data.txt"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    pulled = steps.pull_from_azure_blob_storage(azure_container, "app", login)
    assert pulled == {"container": azure_container, "folder": "app", "directory": str(tmp_path / "elsewhere")}
    assert Path("sub/data.txt").read_text() == "1"


def test_what_is_there_is_replaced(
    behind: BehindBlobs, azure_container: str, login: dict[str, Any], project: Path
) -> None:
    for content in (b"one", b"two"):
        (project / "flow.py").write_bytes(content)
        steps.push_to_azure_blob_storage(azure_container, "app", login)
        assert behind.get("app/flow.py") == content
    (project / "flow.py").write_bytes(b"local")
    steps.pull_from_azure_blob_storage(azure_container, "app", login)
    assert (project / "flow.py").read_bytes() == b"two"


@pytest.mark.parametrize(
    "login_by",
    ["connection string", "secret", "block", "with empty fields", "with an account URL, too", "account key", "SAS"],
)
def test_each_way_to_log_in_works(azurite: Azurite, azure_container: str, project: Path, login_by: str) -> None:
    text = azurite.connection_string
    credentials: Any = {
        "connection string": {"connection_string": text},
        "secret": {"connection_string": SecretStr(text)},
        "block": AzureBlobStorageCredentials(connection_string=SecretStr(text)),
        "with empty fields": {"connection_string": text, "account_url": None, "client_secret": None},
        "with an account URL, too": {
            "connection_string": text,
            "account_url": "https://other.blob.core.windows.net",
            "tenant_id": "t",
            "client_id": "c",
            "client_secret": "s",
        },
        "account key": {"account_url": azurite.endpoint, "account_key": azurite.account_key},
        "SAS": {"account_url": f"{azurite.endpoint}?{_signature(azurite, azure_container)}"},
    }[login_by]
    steps.push_to_azure_blob_storage(azure_container, "app", credentials)
    (project / "flow.py").unlink()
    steps.pull_from_azure_blob_storage(azure_container, "app", credentials)
    assert (project / "flow.py").exists()


def _signature(azurite: Azurite, container: str) -> str:
    from datetime import datetime, timedelta, timezone

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        azurite.account,
        container,
        account_key=azurite.account_key,
        permission=ContainerSasPermissions(read=True, list=True, write=True, create=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )


@pytest.mark.usefixtures("prefect_harness")
async def test_credentials_come_from_a_saved_block(
    behind: BehindBlobs, azure_container: str, login: dict[str, Any], project: Path
) -> None:
    from prefect.deployments.steps.core import run_steps

    await AzureBlobStorageCredentials(**login).save("azure-steps-credentials", overwrite=True)
    written = f"""
    push:
      - prefect_azure.deployments.steps.push_to_azure_blob_storage:
          id: push-code
          requires: prefect-azure[blob_storage]
          container: {azure_container}
          folder: my-project
          credentials: "{{{{ prefect.blocks.azure-blob-storage-credentials.azure-steps-credentials }}}}"
    pull:
      - prefect_azure.deployments.steps.pull_from_azure_blob_storage:
          requires: prefect-azure[blob_storage]
          container: "{{{{ push-code.container }}}}"
          folder: "{{{{ push-code.folder }}}}"
          credentials: "{{{{ prefect.blocks.azure-blob-storage-credentials.azure-steps-credentials }}}}"
    """
    sections = yaml.safe_load(written)
    outputs = await run_steps([*sections["push"], *sections["pull"]], print_function=lambda *_, **__: None)
    assert outputs["directory"] == str(project)
    assert sorted(behind.keys()) == ["my-project/flow.py", "my-project/sub/data.txt"]


def test_the_ignore_file_is_optional_but_honoured(
    behind: BehindBlobs, azure_container: str, login: dict[str, Any], project: Path
) -> None:
    (project / ".prefectignore").write_text("sub/\n.prefectignore\n")
    (project / "others").write_text("flow.py\n")
    for folder, options in {
        "default": {},
        "none": {"ignore_file": None},
        "absent": {"ignore_file": "absent"},
        "others": {"ignore_file": "others"},
    }.items():
        steps.push_to_azure_blob_storage(azure_container, folder, login, **options)
    found = behind.keys()
    kept = {
        folder: sorted(key.partition("/")[2] for key in found if key.startswith(f"{folder}/"))
        for folder in ("default", "none", "absent", "others")
    }
    everything = [".prefectignore", "flow.py", "others", "sub/data.txt"]
    assert kept["default"] == ["flow.py", "others"]
    assert kept["none"] == kept["absent"] == everything
    assert kept["others"] == [".prefectignore", "others", "sub/data.txt"]


@pytest.mark.parametrize("folder", ["", "app", "app/", "a/b"])
def test_a_folder_with_or_without_slashes_is_pushed_and_pulled_without_its_siblings(
    behind: BehindBlobs, azure_container: str, login: dict[str, Any], project: Path, folder: str
) -> None:
    for sibling in ("app2/sibling", "app-2/sibling", "app.txt"):
        behind.put(sibling, b"")
    steps.push_to_azure_blob_storage(azure_container, folder, login)
    (project / "flow.py").unlink()
    steps.pull_from_azure_blob_storage(azure_container, folder, login)
    assert (project / "flow.py").exists()
    assert not [*project.rglob("sibling"), *project.rglob("app.txt")] or folder == ""


def test_directories_of_a_hierarchical_namespace_become_no_files(
    behind: BehindBlobs, azure_container: str, login: dict[str, Any], project: Path, engine: str
) -> None:
    for directory in ("app", "app/data", "app/data/empty"):
        behind.put_directory(directory)
    behind.put("app/data/numbers.csv", b"1")
    behind.put("app/data/nothing.csv", b"")
    steps.pull_from_azure_blob_storage(azure_container, "app", login)
    pulled = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert pulled == {"flow.py", "sub/data.txt", "data/numbers.csv", "data/nothing.csv"}


def test_the_directories_that_a_push_makes_in_a_hierarchical_namespace_do_no_harm(
    azurite_front: AzuriteFront, azure_container: str, project: Path, engine: str
) -> None:
    azurite_front.is_hierarchical = True
    login = {"connection_string": azurite_front.connection_string}
    for _ in range(2):
        steps.push_to_azure_blob_storage(azure_container, "app", login)
    (project / "flow.py").unlink()
    (project / "sub" / "data.txt").unlink()
    steps.pull_from_azure_blob_storage(azure_container, "app", login)
    pulled = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert pulled == {"flow.py", "sub/data.txt"}


@pytest.mark.parametrize("key", ["app/..\\..\\evil.txt", "app//etc/evil.txt"])
def test_no_key_is_written_outside_the_working_directory(
    behind: BehindBlobs,
    azure_container: str,
    login: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    engine: str,
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    behind.put(key, b"evil")
    with pytest.raises(PathEscapes, match=r"evil\.txt"):
        steps.pull_from_azure_blob_storage(azure_container, "app", login)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def application(azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch, clean_azure_environment: None) -> Any:
    """A service principal, where Microsoft Entra ID is found and trusted."""
    azure_identity.reset()
    forget_identities()
    for name, value in azure_identity.trust_environment().items():
        monkeypatch.setenv(name, value)
    return azure_identity.application("deployer")


@pytest.mark.parametrize("who", ["service principal", "secret in a SecretStr", "default", "half a principal"])
def test_an_account_url_logs_in_by_microsoft_entra_id(
    azurite_oauth: Azurite,
    azure_identity: AzureIdentity,
    application: Any,
    project: Path,
    who: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    container = azurite_oauth.new_container()
    fields: dict[str, Any] = {"tenant_id": azure_identity.tenant_id, "client_id": application.client_id}
    fields["client_secret"] = application.client_secret
    if who == "secret in a SecretStr":
        fields["client_secret"] = SecretStr(application.client_secret)
    if who in ("default", "half a principal"):
        for name, value in fields.items():
            monkeypatch.setenv(f"AZURE_{name.upper()}", value)
        fields = {"tenant_id": "another"} if who == "half a principal" else {}
    credentials = {"account_url": azurite_oauth.endpoint, **fields}
    steps.push_to_azure_blob_storage(container, "app", credentials)
    (project / "flow.py").unlink()
    steps.pull_from_azure_blob_storage(container, "app", credentials)
    assert (project / "flow.py").exists()
    assert {issued.principal for issued in azure_identity.issued} == {application.client_id}
    assert ("credentials lacks client_id and client_secret" in caplog.text) == (who == "half a principal")


# What goes wrong


@pytest.mark.usefixtures("engine")
def test_a_single_failure_of_each_request_is_got_over(
    azurite_front: AzuriteFront, azure_container: str, project: Path
) -> None:
    login = {"connection_string": azurite_front.connection_string}
    for fail in (lambda operation: azurite_front.fail(operation, status=503), azurite_front.lose, azurite_front.cut):
        for operation in ("upload", "list", "download"):
            fail(operation)
        steps.push_to_azure_blob_storage(azure_container, "app", login)
        (project / "flow.py").unlink()
        steps.pull_from_azure_blob_storage(azure_container, "app", login)
        assert (project / "flow.py").read_text() == "print('hello')"


def test_a_denied_request_names_the_container(azurite_front: AzuriteFront, azure_container: str, project: Path) -> None:
    azurite_front.fail("*", status=403, times=None)
    for step in both(azure_container, {"connection_string": azurite_front.connection_string}):
        with pytest.raises(PermissionError, match=azure_container) as caught:
            step()
        assert isinstance(caught.value, AzureAccessDenied)


def both(container: str, credentials: Any) -> list[Any]:
    return [
        lambda: steps.push_to_azure_blob_storage(container, "app", credentials),
        lambda: steps.pull_from_azure_blob_storage(container, "app", credentials),
    ]


def test_a_missing_container_is_named(login: dict[str, Any], project: Path) -> None:
    for step in both("absent-container", login):
        with pytest.raises(ContainerNotFound, match="Container 'absent-container' does not exist") as caught:
            step()
        assert isinstance(caught.value, azure_exceptions.ResourceNotFoundError)


@pytest.mark.parametrize("name", ["", "https://shop.blob.core.windows.net/flows", "flows/nightly"])
def test_a_container_that_is_no_name_is_refused(login: dict[str, Any], project: Path, name: str) -> None:
    for step in both(name, login):
        with pytest.raises(ValueError, match=r"Container name .* is not valid"):
            step()


@pytest.mark.parametrize(
    ("credentials", "says"),
    [
        ({}, "connection string or an account URL"),
        (None, "credentials is of type NoneType; it must be a mapping"),
        ("shop-store", r"credentials is of type str.*prefect\.blocks\.azure-blob-storage-credentials"),
        ({"connection_string": "nonsense"}, "[Cc]onnection string"),
    ],
    ids=["empty", "none", "text", "malformed"],
)
def test_credentials_that_say_too_little_are_refused_before_any_request(
    project: Path, credentials: Any, says: str
) -> None:
    for step in both("flows", credentials):
        with pytest.raises(ValueError, match=says):
            step()


def test_a_wrong_key_is_an_error_of_the_credentials_that_does_not_say_it(
    azurite: Azurite, azure_container: str, project: Path, no_canary_leaks: Any, canary: str
) -> None:
    import base64

    wrong = base64.b64encode(canary.encode()).decode()
    text = azurite.connection_string.replace(azurite.account_key, wrong)
    for step in both(azure_container, {"connection_string": text}):
        with pytest.raises(AzureCredentialsError, match=f"{azure_container}.*failed to authenticate") as caught:
            step()
        assert wrong not in f"{caught.value} {caught.value!r}"
        no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()
