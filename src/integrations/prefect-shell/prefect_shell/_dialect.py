"""Which shell is which: names, defaults, extensions, and how a shell is told to run a file."""

from __future__ import annotations

import enum
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath

from prefect_shell.errors import ShellNotExecutable, ShellNotFound

WINDOWS = os.name == "nt"


class Dialect(enum.Enum):
    """A family of shells that read the same script."""

    BASH = "bash"
    POSIX = "posix"
    POWERSHELL = "powershell"
    CMD = "cmd"
    OTHER = "other"


_NAMES = {
    "bash": Dialect.BASH,
    "sh": Dialect.POSIX,
    "dash": Dialect.POSIX,
    "ash": Dialect.POSIX,
    "ksh": Dialect.POSIX,
    "mksh": Dialect.POSIX,
    "zsh": Dialect.POSIX,
    "powershell": Dialect.POWERSHELL,
    "pwsh": Dialect.POWERSHELL,
    "cmd": Dialect.CMD,
}


def dialect_of(shell: str | None) -> Dialect:
    """Tell the family from a shell's name or path: `bash-5.2`, `/bin/sh` and `PWSH.EXE` are known.

    Args:
        shell: The name or path; `None` is the platform's default.
    """
    if shell is None:
        return Dialect.POWERSHELL if WINDOWS else Dialect.BASH
    name = re.split(r"[\\/]", shell)[-1].lower().removesuffix(".exe")
    return _NAMES.get(re.sub(r"[-.\d]+$", "", name), Dialect.OTHER)


def default_extension(dialect: Dialect) -> str:
    """Extension of the script file: `.ps1` for PowerShell and on Windows, else `.sh`; `.cmd` for cmd."""
    if dialect is Dialect.CMD:
        return ".cmd"
    return ".ps1" if WINDOWS or dialect is Dialect.POWERSHELL else ".sh"


def find_shell(shell: str | None, env: Mapping[str, str], cwd: Path | None) -> tuple[str, Dialect]:
    """Find the shell's program.

    Args:
        shell: Name or path; `None` takes the platform's default: bash, or sh where bash is missing; on Windows
            PowerShell, or pwsh where that is missing.
        env: The command's environment, whose `PATH` is searched.
        cwd: The command's working directory, from which a relative path counts.

    Raises:
        ShellNotFound: If it does not exist.
        ShellNotExecutable: If it may not be executed.
    """
    if shell is None:
        candidates = ("powershell", "pwsh") if WINDOWS else ("bash", "sh")
        for candidate in candidates:
            if found := shutil.which(candidate, path=env.get("PATH")):
                return found, dialect_of(candidate)
        shell = candidates[0]
    name = shell
    is_unknown = PurePath(shell).name == shell and shutil.which(shell, path=env.get("PATH")) is None
    if is_unknown and shutil.which(shell.lower(), path=env.get("PATH")) is not None:
        name = shell.lower()  # earlier releases took `Bash` on any system
    return find_program(name, env, cwd, field="shell"), dialect_of(shell)


def find_program(name: str, env: Mapping[str, str], cwd: Path | None, *, field: str) -> str:
    """Find a program on `PATH`, or check the path that is given.

    Args:
        name: Name or path.
        env: The command's environment, whose `PATH` is searched.
        cwd: The command's working directory, from which a relative path counts.
        field: The option that named it, for the error.

    Raises:
        ShellNotFound: If it does not exist.
        ShellNotExecutable: If it may not be executed.
    """
    has_folder = PurePath(name).name != name
    path = str((cwd or Path()) / name) if has_folder else name
    found = shutil.which(path, path=env.get("PATH"))
    if found is not None:
        # A relative path would count from the child's working directory.
        return str(Path(found).absolute())
    if has_folder and Path(path).is_dir():
        raise ShellNotExecutable(f"{field}: {name!r} is a directory. Name a program.")
    if has_folder and Path(path).exists():
        raise ShellNotExecutable(f"{field}: {name!r} may not be executed. Make it executable: chmod +x.")
    where = "does not exist" if has_folder else "was not found on PATH"
    hint = f"Install it, or name another in `{field}`."
    if field == "shell" and " " in name:
        hint = "`shell` takes the program alone; set its options in a command, such as `set -u`."
    raise ShellNotFound(f"{field}: {name!r} {where}. {hint}")


def launch_arguments(shell: str, dialect: Dialect, script: Path) -> list[str]:
    """Arguments with which `shell` runs the file `script`."""
    if dialect is Dialect.POWERSHELL:
        # -File hands the script's exit code on; without Bypass, Windows clients refuse every script by default.
        policy = ["-ExecutionPolicy", "Bypass"] if WINDOWS else []
        return [shell, "-NonInteractive", *policy, "-File", str(script)]
    if dialect is Dialect.CMD:
        return [shell, "/d", "/c", str(script)]
    return [shell, str(script)]
