"""A missing extra says what to install; a broken one says what is broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prefect_integration_kit.extras import is_installed, require_extra


def test_an_installed_module_is_imported():
    assert require_extra("json.decoder", distribution="prefect-acme", extra="x") is sys.modules["json.decoder"]


@pytest.mark.parametrize("module", ["no_such_module", "no_such_module.part", "json.no_such_part"])
def test_a_missing_module_names_the_command_that_installs_it(module: str):
    with pytest.raises(ImportError) as caught:
        require_extra(module, distribution="prefect-acme", extra="fast")
    assert 'pip install "prefect-acme[fast]"' in str(caught.value)
    assert f"`{module}`" in str(caught.value)
    assert caught.value.name == module


def test_a_module_that_lacks_something_of_its_own_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "half_there.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require_extra("half_there", distribution="prefect-acme", extra="fast")


def test_a_broken_module_raises_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_inside.py").write_text("raise ImportError('libfoo.so: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"libfoo\.so"):
        require_extra("broken_inside", distribution="prefect-acme", extra="fast")


def test_looking_for_a_module_does_not_import_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "never_imported.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed("never_imported")
    assert "never_imported" not in sys.modules
    assert not is_installed("no_such_module")
    assert not is_installed("no_such_module.part")
    assert not is_installed("")


def test_a_blocked_module_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "blocked_module", None)
    assert not is_installed("blocked_module")
    with pytest.raises(ImportError, match="pip install"):
        require_extra("blocked_module", distribution="prefect-acme", extra="fast")
