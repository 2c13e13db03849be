"""`DbtCoreOperation`: dbt's commands among others, in a shell."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prefect import flow
from prefect.blocks.system import Secret

from prefect_dbt import DbtCliProfile, DbtCoreOperation, TargetConfigs
from prefect_dbt.cli._shell_commands import dbt_arguments, with_options
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.faces import Call
from prefect_shell.errors import ShellCommandFailed

from ._sleeping import SLEEP_SECONDS, sleeping_queries

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning")


def profile_of(project: DbtProject, **extras: Any) -> DbtCliProfile:
    target = TargetConfigs(type="duckdb", schema="main", threads=1, extras={"path": project.database, **extras})
    return DbtCliProfile(name=project.name, target="dev", target_configs=target)


# What is added to the text of commands


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("dbt run", ["run"]),
        ("  dbt --quiet source freshness -s 'a b' ", ["--quiet", "source", "freshness", "-s", "a b"]),
        ("/opt/bin/dbt run", ["run"]),
        ("A=1 B='2 3' dbt run", ["run"]),
        ("pwd", None),
        ("echo dbt run", None),
        ("cat dbt", None),
        ("cd shop && dbt run", None),
        ("dbt run | tee log", None),
        ("dbt run > log", None),
        ("dbt run; dbt test", None),
        ("dbt run\ndbt test", None),
        ('dbt run --vars "$(cat vars)"', None),
        ("dbt run # all", None),
        ("dbt run 'a", None),
        ("dbtx run", None),
        ("", None),
    ],
)
def test_a_command_of_dbt_is_told_from_others(command: str, args: list[str] | None) -> None:
    assert dbt_arguments(command) == args


OPTIONS: dict[str, str | None] = {"--profiles-dir": "/a b", "--project-dir": "/p"}


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("dbt run", "dbt run --profiles-dir '/a b' --project-dir /p || exit $?"),
        ("dbt source freshness", "dbt source freshness --profiles-dir '/a b' --project-dir /p || exit $?"),
        ("dbt run --profiles-dir x", "dbt run --profiles-dir x --project-dir /p || exit $?"),
        ("dbt run --project-dir=x", "dbt run --project-dir=x --profiles-dir '/a b' || exit $?"),
        ("dbt --version", "dbt --version || exit $?"),
        ("pwd", "pwd"),
        ("cd x && dbt run", "cd x && dbt run"),
    ],
)
def test_options_are_added_where_the_command_takes_them_and_does_not_say_them(command: str, made: str) -> None:
    assert with_options([command], OPTIONS, None) == [made]


def test_in_another_shell_the_end_of_the_script_is_left_to_it() -> None:
    assert with_options(["dbt run"], {"--project-dir": "/p"}, "pwsh") == ["dbt run --project-dir '/p'"]


# Runs


async def test_commands_run_in_order_and_their_lines_are_returned(call: Call, dbt_project: DbtProject) -> None:
    operation = DbtCoreOperation(
        commands=[
            "pwd",
            "echo $(dbt --quiet ls -s model_0 --resource-type model)",
        ],
        project_dir=dbt_project.path,
        profiles_dir=dbt_project.profiles_dir,
        working_dir=dbt_project.path.parent,
    )
    lines = await call(operation, "run")
    assert [line for line in lines if line.strip()] == [str(dbt_project.path.parent), "demo.model_0"]
    assert operation.commands == ["pwd", "echo $(dbt --quiet ls -s model_0 --resource-type model)"]


@pytest.mark.usefixtures("prefect_harness")
def test_a_triggered_operation_is_waited_for_in_a_flow(dbt_project: DbtProject) -> None:
    (dbt_project.path / "profiles.yml").unlink()

    @flow
    def runs() -> list[str]:
        with DbtCoreOperation(
            commands=["dbt --quiet ls -s model_0 --resource-type model", "echo done"],
            project_dir=dbt_project.path,
            dbt_cli_profile=profile_of(dbt_project),
        ) as operation:
            process = operation.trigger()
            process.wait_for_completion()
            assert process.return_code == 0
            return process.fetch_result()

    assert [line for line in runs() if line.strip()] == ["demo.model_0", "done"]


def test_a_failed_dbt_command_fails_the_operation_whatever_would_follow(dbt_project: DbtProject) -> None:
    dbt_project.break_model("model_0")
    operation = DbtCoreOperation(
        commands=["dbt run -s model_0", "echo all is well"],
        project_dir=dbt_project.path,
        profiles_dir=dbt_project.profiles_dir,
    )
    with pytest.raises(ShellCommandFailed, match="no_such_column") as caught:
        operation.run()
    assert isinstance(caught.value, RuntimeError)
    assert "all is well" not in str(caught.value)


@pytest.mark.usefixtures("prefect_harness")
def test_a_saved_operation_runs_when_loaded(dbt_project: DbtProject) -> None:
    name = f"op-{uuid.uuid4().hex[:8]}"
    folder = dbt_project.path.parent / "written"
    DbtCoreOperation(
        commands=["dbt --quiet ls -s model_0 --resource-type model"],
        project_dir=dbt_project.path,
        profiles_dir=folder,
        dbt_cli_profile=profile_of(dbt_project),
    ).save(name)
    assert not folder.exists()
    for _ in range(2):  # the file that the first run writes says the same, so it is no obstacle
        loaded = DbtCoreOperation.load(name)
        assert isinstance(loaded, DbtCoreOperation)
        assert "demo.model_0" in loaded.run()
    assert stat.S_IMODE((folder / "profiles.yml").stat().st_mode) == 0o600


@pytest.mark.usefixtures("prefect_harness")
def test_secrets_reach_dbt_and_neither_script_log_nor_error(
    dbt_project: DbtProject, canary: str, no_canary_leaks: Any
) -> None:
    name = f"n{uuid.uuid4().hex[:8]}"
    Secret(value=canary).save(name)
    profiles = yaml.safe_load((dbt_project.path / "profiles.yml").read_text())
    profiles["demo"]["outputs"]["dev"]["secrets"] = [
        {"type": "s3", "secret": f"{{{{ prefect.blocks.secret.{name} }}}}", "key_id": "k"}
    ]
    (dbt_project.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    operation = DbtCoreOperation(
        commands=['env | grep "DBT_ENV_SECRET.*="', "dbt --quiet ls -s model_0 --resource-type model", "false"],
        project_dir=dbt_project.path,
        profiles_dir=dbt_project.profiles_dir,
    )
    with pytest.raises(ShellCommandFailed) as caught:
        operation.run()
    no_canary_leaks.add_error(caught.value)


# Bad input


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_profile_beside_a_file_must_say_which_counts(dbt_project: DbtProject, overwrite: bool) -> None:
    given: dict[str, Any] = {"commands": ["dbt ls"], "profiles_dir": dbt_project.profiles_dir}
    profile = profile_of(dbt_project, extensions=["json"])
    if overwrite:
        DbtCoreOperation(**given, dbt_cli_profile=profile, overwrite_profiles=True)
        with pytest.raises(ValueError, match="Give dbt_cli_profile"):
            DbtCoreOperation(**given, overwrite_profiles=True)
    else:
        with pytest.raises(ValueError, match=r"profiles.yml exists.*overwrite_profiles"):
            DbtCoreOperation(**given, dbt_cli_profile=profile)


async def test_a_missing_profile_is_told_before_the_script_starts(call: Call, tmp_path: Path) -> None:
    operation = DbtCoreOperation(commands=["touch ran", "dbt run"], working_dir=tmp_path, profiles_dir=tmp_path / "no")
    with pytest.raises(ValueError, match=r"No profiles.yml found at .*no.profiles.yml"):
        await call(operation, "run")
    assert not (tmp_path / "ran").exists()


# Ending


@pytest.mark.parametrize(
    ("call", "how"),
    [
        pytest.param("sync", "close", id="sync-close"),
        pytest.param("async", "terminate", id="async-terminate"),
        pytest.param("async", "close", id="async-close", marks=pytest.mark.slow),
        pytest.param("sync", "terminate", id="sync-terminate", marks=pytest.mark.slow),
    ],
    indirect=["call"],
)
async def test_ending_an_operation_ends_the_queries_of_dbt(
    call: Call, dbt_postgres_project: DbtProject, how: str
) -> None:
    project = dbt_postgres_project
    project.slow_model("model_0", SLEEP_SECONDS)
    operation = DbtCoreOperation(
        commands=["dbt run -s model_0", "touch went-on"],
        project_dir=project.path,
        profiles_dir=project.profiles_dir,
        working_dir=project.path,
    )
    process = await call(operation, "trigger")
    poll(lambda: sleeping_queries(project) or None, subject="the query", interval_seconds=0.1, timeout_seconds=120)
    if how == "close":
        await call(operation, "close")
    else:
        await call(process, "terminate")
    assert not sleeping_queries(project)
    assert process.return_code
    assert not (project.path / "went-on").exists()
