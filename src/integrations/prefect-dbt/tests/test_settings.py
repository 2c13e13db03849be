"""`PrefectDbtSettings`: environment variables, levels, folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_LOGGING_LEVEL, temporary_settings
from pydantic import ValidationError

from prefect_dbt import PrefectDbtSettings
from prefect_dbt.errors import DbtProfileError, DbtProjectError
from prefect_integration_tests.imports import modules_loaded_by


def test_what_the_environment_says_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt_common.events.base_types import EventLevel

    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path / "profiles"))
    monkeypatch.setenv("DBT_PROJECT_DIR", str(tmp_path / "shop"))
    monkeypatch.setenv("DBT_LOG_LEVEL", "warn")
    monkeypatch.setenv("DBT_TARGET_PATH", "out")
    monkeypatch.setenv("DBT_THREADS", "4")  # dbt's own, not ours
    settings = PrefectDbtSettings()
    assert settings.profiles_dir == tmp_path / "profiles"
    assert settings.project_dir == tmp_path / "shop"
    assert settings.log_level is EventLevel.WARN
    assert settings.target_path == Path("out")


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_PROJECT_DIR", "elsewhere")
    monkeypatch.setenv("DBT_LOG_LEVEL", "debug")
    settings = PrefectDbtSettings(project_dir=Path("shop"), log_level="error")
    assert settings.project_dir == Path("shop")
    assert settings.log_level == "error"


def test_dbts_defaults_are_used_when_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = PrefectDbtSettings()
    assert settings.profiles_dir == Path.home() / ".dbt"
    assert settings.project_dir == tmp_path
    assert settings.target_path == Path("target")


@pytest.mark.parametrize(
    ("prefects", "dbts"),
    [("DEBUG", "debug"), ("INFO", "info"), ("WARNING", "warn"), ("ERROR", "error"), ("CRITICAL", "error")],
)
def test_dbt_logs_at_prefects_level_by_default(prefects: str, dbts: str) -> None:
    from dbt_common.events.base_types import EventLevel

    with temporary_settings({PREFECT_LOGGING_LEVEL: prefects}):
        assert PrefectDbtSettings().log_level is EventLevel(dbts)


@pytest.mark.parametrize("said", ["INFO", "info", " Info "])
def test_a_level_may_be_written_in_any_case(said: str) -> None:
    assert PrefectDbtSettings(log_level=said).log_level == "info"  # pyright: ignore[reportArgumentType]


def test_a_level_that_dbt_does_not_have_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_LOG_LEVEL", "loud")
    with pytest.raises(ValidationError, match=r"(?s)log_level.*loud.*debug, test, info, warn, error"):
        PrefectDbtSettings()


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="folder"):
        PrefectDbtSettings(folder="x")  # pyright: ignore[reportCallIssue]


def test_settings_are_made_and_compared_without_loading_dbt() -> None:
    code = """
from prefect_dbt import PrefectDbtSettings
settings = PrefectDbtSettings(log_level="WARNING")
assert settings.log_level == "warn" and settings.log_level.value == "warn" and settings.log_level.name == "WARN"
assert settings.model_dump(mode="json")["log_level"] == "warn"
"""
    _, loaded = modules_loaded_by(code)
    assert not [name for name in loaded if name.split(".")[0].startswith("dbt")]


def test_the_level_equals_dbts_own_whichever_was_loaded_first() -> None:
    code = """
from prefect_dbt import PrefectDbtSettings
settings = PrefectDbtSettings(log_level="error")
from dbt_common.events.base_types import EventLevel
assert settings.log_level == EventLevel.ERROR
assert PrefectDbtSettings(log_level="error").log_level is EventLevel.ERROR
"""
    modules_loaded_by(code)


# The orchestrator's check


@pytest.fixture
def folders(tmp_path: Path) -> PrefectDbtSettings:
    """A project and profiles, as far as files go."""
    for folder, file in (("shop", "dbt_project.yml"), ("profiles", "profiles.yml")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    return PrefectDbtSettings(project_dir=tmp_path / "shop", profiles_dir=tmp_path / "profiles")


def test_folders_that_hold_their_files_are_valid(folders: PrefectDbtSettings) -> None:
    folders.validate_for_orchestrator()


@pytest.mark.parametrize(
    ("field", "file", "error"),
    [("project_dir", "dbt_project.yml", DbtProjectError), ("profiles_dir", "profiles.yml", DbtProfileError)],
)
def test_a_missing_file_or_folder_is_named(
    folders: PrefectDbtSettings, field: str, file: str, error: type[Exception]
) -> None:
    folder: Path = getattr(folders, field)
    (folder / file).unlink()
    with pytest.raises(error, match=rf"{field} .* has no {file}") as caught:
        folders.validate_for_orchestrator()
    assert isinstance(caught.value, ValueError)
    folder.rmdir()
    with pytest.raises(error, match=f"{field} .* does not exist"):
        folders.validate_for_orchestrator()
    folder.touch()
    with pytest.raises(error, match=f"{field} .* is not a folder"):
        folders.validate_for_orchestrator()


# Profiles


def test_profiles_are_read_as_they_are(tmp_path: Path) -> None:
    content = {"shop": {"target": "{{ prefect.variables.t }}", "outputs": {"dev": {"type": "duckdb"}}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(content))
    assert PrefectDbtSettings(profiles_dir=tmp_path).load_profiles_yml() == content


def test_missing_profiles_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No profiles.yml found at .*nowhere.*DBT_PROFILES_DIR"):
        PrefectDbtSettings(profiles_dir=tmp_path / "nowhere").load_profiles_yml()


def test_profiles_without_references_are_lent_by_a_folder_of_their_own_too(tmp_path: Path) -> None:
    text = "# mine\nshop: {target: dev, outputs: {dev: {type: duckdb}}}\n"
    (tmp_path / "profiles.yml").write_text(text)
    with PrefectDbtSettings(profiles_dir=tmp_path).resolve_profiles_yml() as folder:
        assert isinstance(folder, str)
        assert Path(folder) != tmp_path
        assert (Path(folder) / "profiles.yml").read_text() == text
        assert os.stat(folder).st_mode & 0o777 == 0o700
    assert not Path(folder).exists()
