"""What holds for extras with a dash in their name: they can be asked for in both spellings."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import inspect
import io
import zipfile
from collections.abc import Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from packaging.requirements import Requirement

from .base import Suite


class ExtrasSuite(Suite):
    """Checks the wheel of a package whose build back end writes extras in both spellings, for old installers too.

    The package is the one whose `tests` folder holds the inheriting class.

    Attributes:
        extras: For each extra, with underscores, the names of the distributions that it brings.
    """

    extras: ClassVar[Mapping[str, frozenset[str]]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `extra` once for each.

        Args:
            metafunc: The test function, and what to parametrise it by.
        """
        if "extra" in metafunc.fixturenames:
            metafunc.parametrize("extra", sorted(self.extras))

    @pytest.fixture
    def project(self) -> Path:
        """The folder of the package's `pyproject.toml`."""
        return Path(inspect.getfile(type(self))).resolve().parent.parent

    @pytest.fixture
    def backend(self, project: Path) -> ModuleType:
        """The build back end that `pyproject.toml` names."""
        spec = importlib.util.spec_from_file_location("build_backend", project / "build_backend.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @pytest.fixture
    def wheel(self, project: Path, backend: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The wheel, built as `pip` builds it, once."""
        folder = tmp_path_factory.getbasetemp() / f"wheel-{project.name}"
        if not folder.exists():
            folder.mkdir()
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(project)
                backend.build_wheel(str(folder))
        return next(folder.glob("*.whl"))

    @pytest.fixture
    def metadata(self, wheel: Path) -> Message:
        """What the wheel says of itself."""
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return _metadata(archive.read(name).decode())

    def test_an_extra_brings_the_same_in_both_spellings(self, metadata: Message, extra: str) -> None:
        """Installers that do not normalise names find it, too."""
        provided = metadata.get_all("Provides-Extra") or []
        for spelling in {extra, extra.replace("_", "-")}:
            assert provided.count(spelling) == 1
            assert _brought_by(metadata, spelling) == self.extras[extra]

    def test_every_extra_is_named(self, metadata: Message) -> None:
        """None is forgotten here."""
        provided = {name.replace("-", "_") for name in metadata.get_all("Provides-Extra") or []}
        assert set(self.extras) == provided

    def test_the_version_of_the_metadata_allows_names_that_are_not_normalised(self, metadata: Message) -> None:
        """Since 2.3, https://packaging.python.org/en/latest/specifications/core-metadata/, they must be."""
        assert tuple(map(int, metadata["Metadata-Version"].split("."))) < (2, 3)

    def test_metadata_without_a_wheel_are_the_same(
        self, project: Path, backend: Any, metadata: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A resolver, which builds no wheel, sees the same extras."""
        monkeypatch.chdir(project)
        name = backend.prepare_metadata_for_build_wheel(str(tmp_path))
        prepared = _metadata((tmp_path / name / "METADATA").read_text("utf-8"))
        assert prepared.items() == metadata.items()

    def test_the_record_of_the_wheel_fits_its_files(self, wheel: Path) -> None:
        """The checksum of what was changed is the new one."""
        with zipfile.ZipFile(wheel) as archive:
            record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
            rows = {path: digest for path, digest, _ in csv.reader(io.StringIO(archive.read(record).decode()))}
            assert set(rows) == set(archive.namelist())
            for path, digest in rows.items():
                if path != record:
                    found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(path)).digest()).rstrip(b"=").decode()
                    assert digest == f"sha256={found}", path


def _metadata(text: str) -> Message:
    return HeaderParser().parsestr(text)


def _brought_by(metadata: Message, extra: str) -> set[str]:
    """What an extra brings, read without normalising its name, as pip did until 23.2."""
    found: set[str] = set()
    for line in metadata.get_all("Requires-Dist") or []:
        wanted, _, marker = line.partition(";")
        if f"extra == '{extra}'" in marker:
            found.add(Requirement(wanted).name)
    return found
