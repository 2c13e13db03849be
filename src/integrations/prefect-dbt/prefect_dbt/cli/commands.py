"""dbt's command line in tasks and in a block.

The tasks run dbt in a process of its own and log what it says. For a task run for each node, use
`prefect_dbt.PrefectDbtRunner`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import task

from prefect_integration_kit.dispatch import sync_task

from ..core import _artifacts
from ._operation import DbtCoreOperation
from ._running import CommandRun
from .credentials import DbtCliProfile

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

__all__ = [
    "DbtCliProfile",
    "DbtCoreOperation",
    "arun_dbt_build",
    "arun_dbt_model",
    "arun_dbt_seed",
    "arun_dbt_snapshot",
    "arun_dbt_source_freshness",
    "arun_dbt_test",
    "atrigger_dbt_cli_command",
    "consolidate_run_results",
    "create_summary_markdown",
    "run_dbt_build",
    "run_dbt_model",
    "run_dbt_seed",
    "run_dbt_snapshot",
    "run_dbt_source_freshness",
    "run_dbt_test",
    "trigger_dbt_cli_command",
]


def __getattr__(name: str) -> Any:
    if name != "dbtRunner":  # which tests replace here; see `core._replaced`
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbt.cli.main import dbtRunner

    return dbtRunner


@task
async def atrigger_dbt_cli_command(
    command: str,
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str | None = "dbt-cli-command-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> dbtRunnerResult | None:
    """Async form of `trigger_dbt_cli_command`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun(**locals()).arun()


@sync_task(atrigger_dbt_cli_command)
def trigger_dbt_cli_command(
    command: str,
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str | None = "dbt-cli-command-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> dbtRunnerResult | None:
    """Run any dbt command.

    References to Prefect's blocks and variables in `profiles.yml` are filled in. Called in an async flow or task, it
    returns a coroutine; `atrigger_dbt_cli_command` is the async form.

    Args:
        command: The command as in a shell, such as `dbt build --select orders`; `dbt` in front may be left out.
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of the command, such as `["--select", "orders"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result; `result` has what the command returned, such as the results of nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        Check the connection of a profile:

        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import trigger_dbt_cli_command


        @flow
        def trigger_dbt_cli_command_flow():
            return trigger_dbt_cli_command("dbt debug")


        trigger_dbt_cli_command_flow()
        ```
    """
    return CommandRun(**locals()).run()


@task
async def arun_dbt_build(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-build-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_build`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("build", **locals()).arun()


@sync_task(arun_dbt_build)
def run_dbt_build(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-build-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt build`: seeds, models, snapshots and tests, in the order of the graph.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt build`, such as `["--select", "orders"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_build


        @flow
        def build_shop():
            run_dbt_build(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("build", **locals()).run()


@task
async def arun_dbt_model(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-run-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_model`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("run", **locals()).arun()


@sync_task(arun_dbt_model)
def run_dbt_model(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-run-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt run`: the models.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt run`, such as `["--full-refresh"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_model


        @flow
        def run_models():
            run_dbt_model(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("run", **locals()).run()


@task
async def arun_dbt_test(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-test-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_test`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("test", **locals()).arun()


@sync_task(arun_dbt_test)
def run_dbt_test(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-test-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt test`: the tests on data, and unit tests.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt test`, such as `["--select", "orders"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_test


        @flow
        def check_shop():
            run_dbt_test(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("test", **locals()).run()


@task
async def arun_dbt_snapshot(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-snapshot-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_snapshot`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("snapshot", **locals()).arun()


@sync_task(arun_dbt_snapshot)
def run_dbt_snapshot(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-snapshot-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt snapshot`: the snapshots.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt snapshot`, such as `["--select", "orders_snapshot"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_snapshot


        @flow
        def take_snapshots():
            run_dbt_snapshot(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("snapshot", **locals()).run()


@task
async def arun_dbt_seed(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-seed-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_seed`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("seed", **locals()).arun()


@sync_task(arun_dbt_seed)
def run_dbt_seed(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-seed-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt seed`: the CSV files of the project.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt seed`, such as `["--full-refresh"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_seed


        @flow
        def load_seeds():
            run_dbt_seed(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("seed", **locals()).run()


@task
async def arun_dbt_source_freshness(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-source-freshness-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Async form of `run_dbt_source_freshness`. Cancelling it cancels dbt, which ends its queries."""
    return await CommandRun("source freshness", **locals()).arun()


@sync_task(arun_dbt_source_freshness)
def run_dbt_source_freshness(
    profiles_dir: Path | str | None = None,
    project_dir: Path | str | None = None,
    overwrite_profiles: bool = False,
    dbt_cli_profile: DbtCliProfile | None = None,
    create_summary_artifact: bool = False,
    summary_artifact_key: str = "dbt-source-freshness-task-summary",
    extra_command_args: list[str] | None = None,
    stream_output: bool = True,
) -> Any:
    """Run `dbt source freshness`: how old the data of the sources are.

    Args:
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists; without `profiles_dir` and
            `DBT_PROFILES_DIR`, that of `~/.dbt`.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while dbt runs. An error if the file exists and is
            not to be overwritten.
        create_summary_artifact: Whether a summary of the results becomes an artifact of the run, also if nodes failed.
        summary_artifact_key: Key of that artifact: lower-case letters, digits and dashes.
        extra_command_args: Further arguments of `dbt source freshness`, such as `["--select", "source:shop"]`.
        stream_output: Whether what dbt says is logged as it happens, at dbt's level.

    Returns:
        dbt's result, a `dbtRunnerResult`; `result` has the results of the nodes.

    Raises:
        ValueError: If the profile is needed and not given, or given and there is a file, too, without
            `overwrite_profiles`. It is a `DbtProfileError`.
        RuntimeError: If dbt or one of its nodes failed. It is a `DbtRunFailed`, whose message lists the nodes, or a
            `DbtInvocationFailed` with dbt's own words and the remedy; see `prefect_dbt.errors`.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt.cli.commands import run_dbt_source_freshness


        @flow
        def check_sources():
            run_dbt_source_freshness(project_dir="shop", create_summary_artifact=True)
        ```
    """
    return CommandRun("source freshness", **locals()).run()


def create_summary_markdown(run_results: dict[str, Any], command: str) -> str:
    """Summarise a dbt run in Markdown: counts, then each node that did not end well with its message, then the rest.

    Args:
        run_results: Results by how they ended, as `consolidate_run_results` gives them.
        command: The command, such as `dbt build`.

    Returns:
        Markdown for an artifact of Prefect.
    """
    return _artifacts.create_summary_markdown(run_results, command)


def consolidate_run_results(results: dbtRunnerResult) -> dict[str, Any]:
    """Sort the results of nodes by how they ended.

    Args:
        results: What a dbt command that runs nodes returned.

    Returns:
        Lists of results under `Success` (also passed tests), `Warn`, `Error`, `Fail` (tests) and `Skipped`.
    """
    return dict(_artifacts.consolidate_run_results(results))
