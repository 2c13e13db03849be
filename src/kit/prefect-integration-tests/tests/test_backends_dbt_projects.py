"""Generated dbt projects are what they say, to dbt itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dbt.adapters.duckdb", reason="dbt-duckdb is not installed")

from prefect_integration_tests.backends.dbt_projects import DbtProject, generate

pytestmark = pytest.mark.timeout(300)

_DBT = str(Path(sys.executable).with_name("dbt"))


def dbt(project: DbtProject, *args: str) -> subprocess.CompletedProcess[str]:
    where = ["--project-dir", str(project.path), "--profiles-dir", str(project.profiles_dir)]
    return subprocess.run(
        [_DBT, *args, *where], capture_output=True, text=True, cwd=project.path, timeout=280, check=False
    )


def test_a_small_project_is_parsed_already_and_builds(dbt_project: DbtProject) -> None:
    done = dbt(dbt_project, "build")
    assert done.returncode == 0, done.stdout
    assert "partial parsing" not in done.stdout
    assert dbt_project.tables() == {"seed_0", *(f"model_{i}" for i in range(5))}
    assert dbt_project.query("select count(*) from seed_0") == [(3,)]


@pytest.mark.slow
def test_what_was_parsed_of_a_like_project_is_not_parsed_again(dbt_small_template: DbtProject, tmp_path: Path) -> None:
    project = generate(tmp_path / "project")
    project.take_parsed(dbt_small_template)
    project.write("models/one_more.sql", "select 1 as id\n")
    done = dbt(project, "--debug", "ls", "--select", "one_more")
    assert done.returncode == 0, done.stdout
    assert "Partial parsing enabled: 0 files deleted, 1 files added, 0 files changed." in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["shop", "odd", "empty"])
def test_every_shape_builds(shape: str, tmp_path: Path) -> None:
    done = dbt(generate(tmp_path / shape, shape=shape), "build")  # pyright: ignore[reportArgumentType]
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_what_is_broken_fails_and_what_is_fixed_does_not(dbt_project: DbtProject) -> None:
    before = {file: file.read_bytes() for file in (dbt_project.path / "models").iterdir()}
    dbt_project.break_model("model_4")
    dbt_project.break_test("not_null_model_0_id")
    done = dbt(dbt_project, "build")
    assert done.returncode == 1, done.stdout
    assert "FAIL 1 not_null_model_0_id" in done.stdout
    assert "ERROR creating sql table model main.model_4" in done.stdout
    dbt_project.fix()
    assert {file: file.read_bytes() for file in (dbt_project.path / "models").iterdir()} == before


def test_an_unknown_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no shape 'round'"):
        generate(tmp_path, shape="round")  # pyright: ignore[reportArgumentType]


def test_the_number_of_nodes_is_what_was_asked(tmp_path: Path) -> None:
    project = generate(tmp_path, models=120, seeds=10, tests=70)
    assert len(list((project.path / "models").glob("*.sql"))) == 120
    assert len(list((project.path / "seeds").glob("*.csv"))) == 10
    text = (project.path / "models" / "schema.yml").read_text(encoding="utf-8")
    assert text.count('"not_null"') + text.count('"unique"') == 70
