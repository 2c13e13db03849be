"""An SDK that is missing, or that does not load on this Python, says what to do."""

from __future__ import annotations

import importlib.abc
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_azure import AzureMlCredentials
from prefect_azure._ml import sdk
from prefect_azure._ml.words import read_azureml
from prefect_azure._ml.workspaces import ml_client
from prefect_azure.errors import AzureCredentialsError


def _credentials(**fields: Any) -> AzureMlCredentials:
    usual: dict[str, Any] = {
        "tenant_id": "t",
        "service_principal_id": "i",
        "service_principal_password": "p",
        "subscription_id": "s",
        "resource_group": "g",
        "workspace_name": "w",
    }
    return AzureMlCredentials(**{**usual, **fields})


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither SDK is imported yet; afterwards all is as before."""
    kept = {name: module for name, module in sys.modules.items() if _is_of_an_sdk(name)}
    for name in kept:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if _is_of_an_sdk(name)]:
        del sys.modules[name]
    sys.modules.update(kept)


def _is_of_an_sdk(name: str) -> bool:
    return f"{name}.".startswith(("azureml.", "azure.ai.ml."))


def _distribution(folder: Path, *pythons: str) -> Path:
    """An azureml-core whose import fails, made for some versions of Python."""
    (folder / "azureml" / "core").mkdir(parents=True)
    (folder / "azureml" / "__init__.py").touch()
    (folder / "azureml" / "core" / "__init__.py").write_text("import pkg_resources_that_is_gone\n")
    info = folder / "azureml_core-1.61.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: azureml-core", "Version: 1.61.0"]
    lines += [f"Classifier: Programming Language :: Python :: {python}" for python in pythons]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    return folder


def test_a_python_that_azureml_core_is_not_made_for_is_named(
    unloaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(_distribution(tmp_path, "3.7", "3.9", "3.8")))
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(ImportError) as raised:
        _credentials().get_workspace()
    said = str(raised.value)
    assert f"azureml-core 1.61.0 is made for Python 3.7 to 3.9 and does not load on {here}" in said
    assert "pkg_resources_that_is_gone" in said
    assert "Use Python 3.9. Or use prefect_azure.machine_learning" in said
    assert 'pip install "prefect-azure[machine-learning]"' in said


def test_an_azureml_core_that_should_load_but_does_not_says_why(
    unloaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.syspath_prepend(str(_distribution(tmp_path, here)))
    with pytest.raises(ImportError, match=r"azureml-core 1\.61\.0 is installed and does not load.*setuptools<81"):
        _credentials().get_workspace()


@pytest.mark.parametrize(
    ("module", "extra"), [("azureml", "ml-datastore"), ("azure.ai.ml", "machine-learning")], ids=["core", "current"]
)
def test_a_missing_sdk_names_its_extra(
    unloaded: None, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hidden(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            del path, target
            if f"{fullname}.".startswith(f"{module}."):
                raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

    def metadata_of(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    monkeypatch.setattr(sdk, "metadata", metadata_of)
    use = _credentials().get_workspace if module == "azureml" else lambda: ml_client(_credentials())
    with pytest.raises(ImportError) as raised:
        use()
    assert f'pip install "prefect-azure[{extra}]"' in str(raised.value)


@pytest.mark.parametrize(
    ("said", "message", "status", "code"),
    [
        ("Workspace not found.", "Workspace not found.", 404, ""),
        ("(UserError) Could not find it", "Could not find it", None, ""),
        (
            '{"error_details": {"error": {"code": "AuthorizationFailed", "message": "No."}}, "status_code": 403}',
            "No.",
            403,
            "AuthorizationFailed",
        ),
        ('{"error": {"code": "UserError", "message": "Bad."}, "status code": 400}', "Bad.", 400, ""),
        ("Received bad response: Response Code: x, status code: 429", "Received bad response", 429, ""),
    ],
    ids=["plain", "user", "json", "short", "number"],
)
def test_what_azureml_core_says_is_read(said: str, message: str, status: int | None, code: str) -> None:
    class Said(Exception):
        pass

    words = read_azureml(Said(said))
    assert words.message.startswith(message)
    assert (words.http_status, words.code) == (status, code)


def test_addresses_that_the_sdks_cannot_use_are_refused_and_not_passed_over() -> None:
    credentials = _credentials(endpoints={"ml": "https://ml.example.com", "arm": "https://arm.example.com"})
    for use in (credentials.get_workspace, lambda: ml_client(credentials)):
        with pytest.raises(AzureCredentialsError, match=r"take no other address for arm and ml.*HTTPS_PROXY"):
            use()
