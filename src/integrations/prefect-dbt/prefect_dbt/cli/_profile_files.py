"""Which `profiles.yml` the tasks and the block use, and when they write one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .._private_folders import write_private
from .._profiles import FILE_NAME, ResolvedProfiles, lend_profiles, read_profiles, resolved_profiles, to_yaml
from ..errors import DbtProfileError
from ..utilities import find_profiles_dir

if TYPE_CHECKING:
    from .credentials import DbtCliProfile

PathLike = str | os.PathLike[str]

# Commands that need no profile; the empty one is `dbt --version` and the like.
WITHOUT_PROFILE = frozenset({"", "clean", "deps", "init"})


@contextlib.contextmanager
def profiles_for(
    command: str,
    *,
    profiles_dir: PathLike | None,
    project_dir: PathLike | None,
    overwrite_profiles: bool,
    dbt_cli_profile: DbtCliProfile | None,
    profile: str | None = None,
    target: str | None = None,
    environ: Mapping[str, str] | None = None,
    working_dir: Path | None = None,
) -> Generator[ResolvedProfiles | None, None, None]:
    """Lend the profiles for a command.

    A profile given as a block is written to the folder that the caller names, or when told to overwrite; else it lies
    in a private folder as long as the command runs, and its secrets in the environment of dbt's process only.

    Args:
        command: dbt's command, such as `build`.
        profiles_dir: Folder of `profiles.yml`; else `DBT_PROFILES_DIR`, else dbt's default.
        project_dir: The project, which names the profile in use.
        overwrite_profiles: Whether the block's profile replaces the file.
        dbt_cli_profile: The profile as a block.
        profile: The profile in use, if the arguments of the command say it.
        target: The target in use, if the arguments of the command say it.
        environ: The environment of the command; that of this process when not given.
        working_dir: Where the command runs, if not where this process does.

    Yields:
        The profiles; `None` where there are none and the command needs none.

    Raises:
        DbtProfileError: If the block and another file are there and `overwrite_profiles` is not set, if neither is, or
            if the file cannot be used.
    """
    environ = os.environ if environ is None else environ
    check_profile(profiles_dir, dbt_cli_profile, overwrite_profiles, environ)
    asked = _asked(profiles_dir, environ)
    if dbt_cli_profile is None:
        folder = asked or _default_folder(working_dir)
        if not (folder / FILE_NAME).is_file():
            if command not in WITHOUT_PROFILE:
                raise DbtProfileError(
                    f"No profiles.yml found at {folder / FILE_NAME}. Set profiles_dir or DBT_PROFILES_DIR to the "
                    "folder that has it, or give dbt_cli_profile."
                )
            yield None
            return
    elif asked is None and not overwrite_profiles:
        with _lent(dbt_cli_profile) as lent:
            yield lent
        return
    else:
        folder = asked or Path.home() / ".dbt"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(folder / FILE_NAME, to_yaml(dbt_cli_profile.get_profile()))
    with resolved_profiles(folder, project_dir=project_dir, profile=profile, target=target) as resolved:
        yield resolved


def check_profile(
    profiles_dir: PathLike | None,
    dbt_cli_profile: DbtCliProfile | None,
    overwrite_profiles: bool,
    environ: Mapping[str, str],
) -> None:
    """Refuse a profile where there is a file already, and to overwrite a file with nothing.

    A file that says what the profile says is no obstacle.

    Raises:
        DbtProfileError: Naming the file and the remedy.
    """
    path = (_asked(profiles_dir, environ) or Path.home() / ".dbt") / FILE_NAME
    if dbt_cli_profile is None:
        if overwrite_profiles:
            raise DbtProfileError(
                f"overwrite_profiles is set, and there is no profile to write to {path}. "
                "Give dbt_cli_profile, or leave overwrite_profiles off."
            )
        return
    if overwrite_profiles or not path.exists():
        return
    with contextlib.suppress(DbtProfileError):
        if read_profiles(path.parent) == dbt_cli_profile.get_profile():
            return
    raise DbtProfileError(
        f"{path} exists, and dbt_cli_profile is given, too. Set overwrite_profiles to replace the file by the profile, "
        "or leave dbt_cli_profile out to use the file."
    )


def _asked(profiles_dir: PathLike | None, environ: Mapping[str, str]) -> Path | None:
    asked = profiles_dir or environ.get("DBT_PROFILES_DIR")
    return Path(asked).expanduser() if asked else None


def _default_folder(working_dir: Path | None) -> Path:
    """Dbt's own default, as seen from where it runs."""
    if working_dir is None:
        return find_profiles_dir()
    return working_dir if (working_dir / FILE_NAME).exists() else Path.home() / ".dbt"


@contextlib.contextmanager
def _lent(dbt_cli_profile: DbtCliProfile) -> Generator[ResolvedProfiles, None, None]:
    profiles = dbt_cli_profile.get_profile()
    # dbt refuses `config` beside the `flags` of a project; variables come before both.
    config: dict[str, object] = profiles.pop("config", {})
    flags = {f"DBT_{name.upper()}": str(value) for name, value in config.items()}
    with lend_profiles(profiles) as lent:
        unset = {name: value for name, value in flags.items() if name not in os.environ}
        yield ResolvedProfiles(lent.path, {**unset, **lent.env})
