"""Which `profiles.yml` a command uses, and when one is written."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_dbt import DbtCliProfile, GlobalConfigs, TargetConfigs
from prefect_dbt._profiles import ResolvedProfiles
from prefect_dbt.cli._profile_files import profiles_for
from prefect_dbt.errors import DbtProfileError

pytestmark = pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning")


def profile(**extras: Any) -> DbtCliProfile:
    target = TargetConfigs(type="duckdb", schema="main", extras={"path": "x.duckdb", **extras})
    return DbtCliProfile(name="shop", target="dev", target_configs=target)


def lend(command: str = "build", **given: Any) -> Any:
    usual: dict[str, Any] = dict.fromkeys(("profiles_dir", "project_dir", "dbt_cli_profile"))
    return profiles_for(command, **{**usual, "overwrite_profiles": False, **given})


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder of the test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_a_block_alone_lies_in_a_private_folder_and_nowhere_else(home: Path, tmp_path: Path, canary: str) -> None:
    with lend(dbt_cli_profile=profile(password=canary)) as lent:
        assert isinstance(lent, ResolvedProfiles)
        assert tmp_path not in lent.path.parents
        assert canary not in (lent / "profiles.yml").read_text()
        assert list(lent.env.values()) == [canary]
    assert not lent.path.exists()
    assert list(home.iterdir()) == []


def test_global_configs_travel_by_the_environment_unless_it_says_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_DEBUG", "false")
    block = profile()
    block.global_configs = GlobalConfigs(debug=True, use_colors=False, printer_width=100)
    with lend(dbt_cli_profile=block) as lent:
        assert dict(lent.env) == {"DBT_USE_COLORS": "False", "DBT_PRINTER_WIDTH": "100"}
        assert list(yaml.safe_load((lent / "profiles.yml").read_text())) == ["shop"]


@pytest.mark.parametrize("by", ["parameter", "environment"])
def test_a_block_is_written_to_the_folder_that_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    named = tmp_path / "named"
    given: dict[str, Any] = {"dbt_cli_profile": profile(password="p")}
    if by == "environment":
        monkeypatch.setenv("DBT_PROFILES_DIR", str(named))
    else:
        given["profiles_dir"] = str(named)
    for _ in range(2):  # the same once more is no conflict
        with lend(**given) as lent:
            assert lent.path == named
    file = named / "profiles.yml"
    assert yaml.safe_load(file.read_text()) == given["dbt_cli_profile"].get_profile()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(named.iterdir()) == [file]


@pytest.mark.parametrize("by", ["parameter", "environment", "default"])
def test_another_file_is_overwritten_only_when_asked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    folder = home / ".dbt" if by == "default" else tmp_path / "named"
    folder.mkdir()
    file = folder / "profiles.yml"
    file.write_text("mine: {outputs: {}}\n")
    given: dict[str, Any] = {"dbt_cli_profile": profile()}
    if by == "environment":
        monkeypatch.setenv("DBT_PROFILES_DIR", str(folder))
    elif by == "parameter":
        given["profiles_dir"] = folder
    with pytest.raises(DbtProfileError, match=r"profiles\.yml exists.*overwrite_profiles"), lend(**given):
        pass
    assert file.read_text() == "mine: {outputs: {}}\n"
    with lend(**given, overwrite_profiles=True) as lent:
        assert lent.path == folder
    assert list(yaml.safe_load(file.read_text())) == ["shop"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_project_is_never_written_to_because_it_has_profiles(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "profiles.yml").write_text("mine: {outputs: {}}\n")
    monkeypatch.chdir(project)
    with lend() as lent:
        assert lent.path == project
    with lend(dbt_cli_profile=profile(), overwrite_profiles=True) as lent:
        assert lent.path == home / ".dbt"
    assert (project / "profiles.yml").read_text() == "mine: {outputs: {}}\n"


def test_a_command_needs_profiles_unless_it_does_not(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No profiles.yml found at .*\.dbt.*dbt_cli_profile"), lend("ls"):
        pass
    with (
        pytest.raises(ValueError, match=r"No profiles.yml found at .*nowhere"),
        lend(profiles_dir=tmp_path / "nowhere"),
    ):
        pass
    for command in ("", "clean", "deps", "init"):
        with lend(command) as lent:
            assert lent is None


def test_there_must_be_something_to_overwrite_a_file_with(home: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"profiles_dir": tmp_path, "overwrite_profiles": True}
    with pytest.raises(ValueError, match=r"overwrite_profiles is set.*Give dbt_cli_profile"), lend(**given):
        pass


@pytest.mark.usefixtures("prefect_harness")
def test_references_within_a_block_are_filled_in(home: Path, canary: str) -> None:
    import uuid

    from prefect.blocks.system import Secret

    name = f"n{uuid.uuid4().hex[:8]}"
    Secret(value=canary).save(name)
    with lend(dbt_cli_profile=profile(password=f"{{{{ prefect.blocks.secret.{name} }}}}")) as lent:
        assert list(lent.env.values()) == [canary]
