"""Extras can be asked for in both spellings, also by installers that do not normalise names."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def backend() -> ModuleType:
    """The build back end that pyproject.toml names."""
    spec = importlib.util.spec_from_file_location("build_backend", PROJECT / "build_backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheel(backend: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `pip` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        return folder / backend.build_wheel(str(folder))


def _metadata(text: str) -> Message:
    return HeaderParser().parsestr(text)


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return _metadata(archive.read(name).decode())


def _brought_by(metadata: Message, extra: str) -> set[str]:
    """What an extra brings, read without normalising its name, as pip did until 23.2."""
    found: set[str] = set()
    for line in metadata.get_all("Requires-Dist") or []:
        marker = line.partition(";")[2]
        if f"extra == '{extra}'" in marker:
            found.add(Requirement(line.partition(";")[0]).name)
    return found


@pytest.mark.parametrize(
    ("extra", "brings"),
    [
        ("blob_storage", {"azure-storage-blob"}),
        ("cosmos_db", {"azure-cosmos"}),
        ("ml_datastore", {"azureml-core", "setuptools"}),
        ("container_apps", {"azure-mgmt-appcontainers"}),
        ("key_vault", {"azure-keyvault-secrets"}),
        (
            "all_extras",
            {
                "azure-cosmos",
                "azure-keyvault-secrets",
                "azure-mgmt-appcontainers",
                "azure-servicebus",
                "azure-storage-blob",
                "azure-storage-file-datalake",
                "azureml-core",
                "setuptools",
            },
        ),
    ],
)
def test_an_extra_brings_the_same_in_both_spellings(metadata, extra, brings):
    provided = metadata.get_all("Provides-Extra")
    assert {extra, extra.replace("_", "-")} <= set(provided or [])
    assert _brought_by(metadata, extra) == brings
    assert _brought_by(metadata, extra.replace("_", "-")) == brings


def test_an_extra_of_one_word_is_there_once(metadata):
    assert (metadata.get_all("Provides-Extra") or []).count("fast") == 1
    assert _brought_by(metadata, "fast") == {"obstore"}


def test_the_version_of_the_metadata_allows_names_that_are_not_normalised(metadata):
    assert tuple(map(int, metadata["Metadata-Version"].split("."))) < (2, 3)


def test_metadata_without_a_wheel_are_the_same(backend, metadata, tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    name = backend.prepare_metadata_for_build_wheel(str(tmp_path))
    prepared = _metadata((tmp_path / name / "METADATA").read_text("utf-8"))
    assert prepared.items() == metadata.items()


def test_the_record_of_the_wheel_fits_its_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = {path: digest for path, digest, _ in csv.reader(io.StringIO(archive.read(record).decode()))}
        assert set(rows) == set(archive.namelist())
        for path, digest in rows.items():
            if path != record:
                found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(path)).digest()).rstrip(b"=").decode()
                assert digest == f"sha256={found}", path
