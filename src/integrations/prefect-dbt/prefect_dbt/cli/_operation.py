"""A block that runs dbt's commands, among others, in a shell."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, HttpUrl, SecretStr, model_validator

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_shell import ShellOperation

from .._templates import SECRET_PREFIX
from ..core._command_line import command_of, value_of
from ._profile_files import WITHOUT_PROFILE, check_profile, profiles_for
from ._shell_commands import dbt_arguments, with_options
from .configs.base import DOCUMENTATION_URL, LOGO_URL
from .credentials import DbtCliProfile

if TYPE_CHECKING:
    from .._profiles import ResolvedProfiles

# What dbt may take to cancel its queries.
_CANCEL_SECONDS = 15.0


class DbtCoreOperation(ShellOperation):
    """An operation of dbt: commands of dbt and others, which one shell runs as one script.

    For long operations use `trigger` and the block as a context manager, which ends at its exit all that still runs;
    without a context manager, call `close`. For short ones use `run`, which waits for the end.

    Commands that run dbt get `--profiles-dir` and `--project-dir` where they do not say these themselves, and what they
    refer to by `DBT_PROFILES_DIR` and `DBT_PROJECT_DIR`, so that dbt finds both in any command. References to Prefect's
    blocks and variables in `profiles.yml` are filled in. The script ends at the first dbt command that fails. When the
    operation is cancelled, closed or out of time, dbt gets SIGINT first, so that it ends its queries.

    Attributes:
        commands: The commands to run, in order.
        stream_output: Whether output is logged.
        env: Environment variables, over those of this process.
        working_dir: Directory in which the commands run.
        shell: The shell that runs the commands.
        extension: Extension of the script file; when not given `.ps1` on Windows and `.sh` elsewhere.
        profiles_dir: Folder of `profiles.yml`; else that of `DBT_PROFILES_DIR`, else the working directory if it has
            the file, else `~/.dbt`.
        project_dir: Folder of `dbt_project.yml`; when not given the working directory or the nearest one above it.
        overwrite_profiles: Whether `dbt_cli_profile` replaces a `profiles.yml` that exists.
        dbt_cli_profile: The profile as a block. It is written to the folder that is named or is to be overwritten, for
            this user only to read; else it is in a private folder while the commands run. An error if the file exists
            and is not to be overwritten.

    Examples:
        Load a stored operation:

        ```python
        from prefect_dbt import DbtCoreOperation

        dbt_op = DbtCoreOperation.load("BLOCK_NAME")
        ```

        Check a connection that blocks describe:

        ```python
        from prefect_dbt import DbtCliProfile, DbtCoreOperation
        from prefect_dbt.cli.configs import SnowflakeTargetConfigs
        from prefect_snowflake import SnowflakeConnector

        target_configs = SnowflakeTargetConfigs(connector=SnowflakeConnector.load("snowflake-connector"))
        dbt_cli_profile = DbtCliProfile(name="jaffle_shop", target="dev", target_configs=target_configs)
        DbtCoreOperation(
            commands=["dbt debug", "dbt list"],
            dbt_cli_profile=dbt_cli_profile,
            overwrite_profiles=True,
        ).run()
        ```

        Do other things while dbt runs:

        ```python
        from prefect_dbt import DbtCoreOperation

        with DbtCoreOperation(commands=["dbt run"]) as dbt_run:
            dbt_process = dbt_run.trigger()
            ...  # other work
            dbt_process.wait_for_completion()
            dbt_output = dbt_process.fetch_result()
        ```
    """

    _block_type_name = "dbt Core Operation"
    _logo_url = HttpUrl(LOGO_URL)
    _documentation_url = HttpUrl(DOCUMENTATION_URL)

    profiles_dir: Path | None = Field(
        default=None,
        description="Folder of profiles.yml; when not set that of DBT_PROFILES_DIR, else dbt's default.",
    )
    project_dir: Path | None = Field(
        default=None,
        description="Folder of dbt_project.yml; when not set the working directory or the nearest one above it.",
    )
    overwrite_profiles: bool = Field(
        default=False, description="Whether the profile of the block replaces a profiles.yml that exists."
    )
    dbt_cli_profile: DbtCliProfile | None = Field(
        default=None, description="The profile to use; an error if profiles.yml exists and is not to be overwritten."
    )
    interrupt_grace_seconds: float = Field(
        default=_CANCEL_SECONDS,
        description="Seconds that dbt has to end its queries when the commands are ended, before SIGTERM.",
    )

    @model_validator(mode="after")
    def _check_profile(self) -> DbtCoreOperation:
        check_profile(self._base(self.profiles_dir), self.dbt_cli_profile, self.overwrite_profiles, self._environment())
        return self

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.env}

    def _base(self, folder: Path | None) -> Path | None:
        """Find a folder from where the commands run."""
        return None if folder is None else Path(self.working_dir or ".").absolute() / folder.expanduser()

    def _prepare(self) -> tuple[Any, Callable[[], None]]:
        """Lend the profiles until the process has ended."""
        stack = ExitStack()
        try:
            lent = stack.enter_context(
                profiles_for(
                    self._command_in_need(),
                    profiles_dir=self._base(self.profiles_dir) or self._said("--profiles-dir"),
                    project_dir=self._base(self.project_dir) or self._said("--project-dir") or self._base(Path()),
                    overwrite_profiles=self.overwrite_profiles,
                    dbt_cli_profile=self.dbt_cli_profile,
                    profile=self._said("--profile"),
                    target=self._said("--target"),
                    environ=self._environment(),
                    working_dir=self._base(Path()),
                )
            )
            return self._with_profiles(lent), stack.close
        except BaseException:
            stack.close()
            raise

    async def _aprepare(self) -> tuple[Any, Callable[[], None]]:
        return await run_sync_in_worker_thread(self._prepare)

    def _with_profiles(self, lent: ResolvedProfiles | None) -> Any:
        project_dir = self._base(self.project_dir)
        options = {
            "--profiles-dir": None if lent is None else str(lent),
            "--project-dir": None if project_dir is None else str(project_dir),
        }
        env = {f"DBT_{name[2:].replace('-', '_').upper()}": value for name, value in options.items() if value}
        given: Mapping[str, str] = lent.env if lent else {}
        secret_env = {n: SecretStr(value) for n, value in given.items() if value and n.startswith(SECRET_PREFIX)}
        command = self.to_command()
        return replace(
            command,
            commands=with_options(self.commands, options, self.shell),
            env={
                **command.env,
                **env,
                **{name: value for name, value in given.items() if name not in secret_env},
                "PATH": _with_our_programs(self._environment().get("PATH", os.defpath)),
            },
            secret_env={**secret_env, **command.secret_env},
        )

    def _command_in_need(self) -> str:
        """The first dbt command that needs a profile; dbt decides about those that cannot be read from here."""
        found = [command_of(args) for args in map(dbt_arguments, self.commands) if args is not None]
        needing = [name for name in found if name not in WITHOUT_PROFILE]
        return needing[0] if needing else ""

    def _said(self, option: str) -> str | None:
        """What a command itself says of an option."""
        for args in map(dbt_arguments, self.commands):
            if args is not None and (value := value_of(option, args, {})):
                return str(value)
        return None


def _with_our_programs(path: str) -> str:
    """Add the folder that holds the `dbt` of this environment, for flows that run where it is not activated."""
    ours = sysconfig.get_path("scripts")
    return path if ours in path.split(os.pathsep) else f"{path}{os.pathsep}{ours}"
