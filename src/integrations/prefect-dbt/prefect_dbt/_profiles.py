"""`profiles.yml`: read it, fill in Prefect's blocks and variables, lend it to dbt for one invocation.

dbt gets values of blocks by its own `env_var()`, in the environment of its process, not by a file. What a block's
schema calls secret travels under dbt's prefix for secrets, so that dbt masks it in its logs and keeps it out of its
cache of the parsed project (https://docs.getdbt.com/reference/dbt-jinja-functions/env_var#secrets).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from prefect_integration_kit.dispatch import run_coro_as_sync

from ._private_folders import private_folder, write_private
from ._secret_keys import is_secret_key
from ._templates import LONGEST_VARIABLE, SECRET_PREFIX, Missing, Resolver, has_templates
from .errors import DbtProfileError
from .utilities import env_var_call, env_var_name

__all__ = ["ResolvedProfiles", "exported", "lend_profiles", "read_profiles", "resolved_profiles"]

FILE_NAME = "profiles.yml"


@dataclass(frozen=True)
class ResolvedProfiles(os.PathLike[str]):
    """A folder that dbt can read `profiles.yml` from, for as long as it is lent.

    Attributes:
        path: The folder, for `--profiles-dir`.
        env: Variables that the file reads by `env_var()`: dbt's process needs them besides what it has.
    """

    path: Path
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name


def read_profiles(profiles_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the profiles of a folder.

    Args:
        profiles_dir: The folder that holds `profiles.yml`.

    Raises:
        DbtProfileError: If there is none, or if it is not YAML; the message names file and line.
    """
    return _parse(_file_in(profiles_dir))


@contextlib.contextmanager
def resolved_profiles(
    profiles_dir: str | os.PathLike[str],
    *,
    project_dir: str | os.PathLike[str] | None = None,
    profile: str | None = None,
    target: str | None = None,
    copy: bool = False,
) -> Generator[ResolvedProfiles]:
    """Lend the profiles of a folder, with references to Prefect's blocks and variables filled in.

    A file without such references is used where it lies. Else its resolved form lies in a private folder, which is
    removed in the end. Hand `env` to the process of dbt; nothing enters the environment of this process.

    A block or variable that does not exist is an error at once where the target in use needs it, and where another
    target does, only when dbt is told to use that one.

    Args:
        profiles_dir: The folder that holds `profiles.yml`.
        project_dir: The project, whose `profile` says which one is in use; all of them when not given.
        profile: The profile in use, as given to `--profile`; it comes before that of the project.
        target: The target in use, as given to `--target`; that of the profile when not given.
        copy: Whether to make a private folder for a file without references, too.

    Raises:
        DbtProfileError: If the file is missing or not YAML, or a block or variable does not exist.
    """
    path = _file_in(profiles_dir)
    text = _read_text(path)
    if not has_templates(text):
        if not copy:
            yield ResolvedProfiles(path.parent)
            return
        _parse(path, text)
        with private_folder() as folder:
            write_private(folder / FILE_NAME, text)
            yield ResolvedProfiles(folder)
        return
    profiles = _parse(path, text)
    resolver = run_coro_as_sync(_resolve(path, profiles))
    _check_missing(resolver, path, profile or _profile_of_project(project_dir), target)
    with _written(cast("dict[str, Any]", resolver.result), resolver.env) as lent:
        yield lent


@contextlib.contextmanager
def lend_profiles(profiles: Mapping[str, Any]) -> Generator[ResolvedProfiles]:
    """Lend profiles that lie nowhere yet; secrets travel by the environment.

    Args:
        profiles: The content of `profiles.yml`. References to blocks and variables are filled in.

    Raises:
        DbtProfileError: If a block or variable does not exist.
    """
    env: dict[str, str] = {}
    content = dict(profiles)
    if has_templates(to_yaml(content)):
        path = Path("dbt_cli_profile")
        resolver = run_coro_as_sync(_resolve(path, content))
        _check_missing(resolver, path, None, None)
        content, env = resolver.result, resolver.env
    with _written(cast("dict[str, Any]", _without_secrets(content, (), env)), env) as lent:
        yield lent


@contextlib.contextmanager
def _written(profiles: dict[str, Any], env: Mapping[str, str]) -> Generator[ResolvedProfiles]:
    with private_folder() as folder:
        write_private(folder / FILE_NAME, to_yaml(profiles))
        yield ResolvedProfiles(folder, env)


def to_yaml(profiles: Mapping[str, Any]) -> str:
    """Write profiles as YAML, keys in their order."""
    import yaml

    return yaml.safe_dump(dict(profiles), sort_keys=False, allow_unicode=True, default_flow_style=False)


_export_lock = threading.Lock()
_exported: dict[str, list[str | None]] = {}


@contextlib.contextmanager
def exported(env: Mapping[str, str]) -> Generator[None]:
    """Put variables into the environment of this process, for code that runs dbt within it.

    Contexts may overlap; what was there before the first is put back by the last.

    Args:
        env: The variables.
    """
    with _export_lock:
        for name, value in env.items():
            _exported.setdefault(name, []).append(os.environ.get(name))
            os.environ[name] = value
    try:
        yield
    finally:
        with _export_lock:
            for name in env:
                before = _exported[name]
                if len(before) > 1:
                    before.pop()
                    continue
                first = _exported.pop(name)[0]
                if first is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = first


def _file_in(profiles_dir: str | os.PathLike[str]) -> Path:
    folder = Path(profiles_dir).expanduser()
    path = folder / FILE_NAME
    if path.is_file():
        return path
    what = "does not exist" if not folder.exists() else "has none" if folder.is_dir() else "is not a folder"
    raise DbtProfileError(
        f"No profiles.yml found at {path}: {str(folder)!r} {what}. "
        "Set profiles_dir or DBT_PROFILES_DIR to the folder that holds it."
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DbtProfileError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DbtProfileError(f"{path} cannot be read: {error.strerror}.") from error


def _parse(path: Path, text: str | None = None) -> dict[str, Any]:
    import yaml

    text = _read_text(path) if text is None else text
    try:
        profiles = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # The error quotes lines of the file, which may hold secrets: it is neither repeated nor chained.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read as YAML"
        raise DbtProfileError(
            f"{path}{where}: not valid YAML: {problem}. A template such as {{{{ … }}}} must stand in quotes."
        ) from None
    if not isinstance(profiles, dict) or not profiles:
        found = f"holds a {type(profiles).__name__}" if profiles and not isinstance(profiles, dict) else "is empty"
        raise DbtProfileError(f"{path} {found}: it must map the names of profiles to their targets.")
    return cast("dict[str, Any]", profiles)


async def _resolve(path: Path, profiles: dict[str, Any]) -> Resolver:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        resolver = Resolver(client, path)
        resolver.result = await resolver.resolve(profiles)
        return resolver


def _profile_of_project(project_dir: str | os.PathLike[str] | None) -> str | None:
    """The `profile` of a project, if its file says so plainly; dbt itself tells what is wrong with that file."""
    if project_dir is None:
        return None
    import yaml

    try:
        content = yaml.safe_load((Path(project_dir) / "dbt_project.yml").read_text(encoding="utf-8"))
        name = content["profile"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and "{{" not in name else None


def _check_missing(resolver: Resolver, path: Path, profile: str | None, target: str | None) -> None:
    """Raise for what is missing in the target that will be used; dbt itself refuses another that lacks something."""
    profiles = cast("dict[str, Any]", resolver.result)
    for missing in resolver.missing:
        if len(missing.keys) > 3 and missing.keys[1] == "outputs":
            # dbt takes a password that it cannot render for what it says; the type it must render.
            profiles[missing.keys[0]]["outputs"][missing.keys[2]]["type"] = missing.refusal
    needed = [missing for missing in resolver.missing if _is_used(missing, profiles, profile, target)]
    if needed:
        listed = "\n".join(f"  {missing.placeholder} ({missing.where}): {missing.problem}" for missing in needed)
        raise DbtProfileError(f"{path} refers to what cannot be resolved:\n{listed}")


def _is_used(missing: Missing, profiles: dict[str, Any], profile: str | None, target: str | None) -> bool:
    name, *rest = missing.keys
    if profile is not None and profile in profiles and name != profile:
        return False
    content = profiles.get(str(name))
    if len(rest) < 2 or rest[0] != "outputs" or not isinstance(content, dict):
        return rest[:1] != ["target"] or target is None
    content = cast("dict[str, Any]", content)
    used = target or content.get("target", "default")  # dbt's default
    return used not in content["outputs"] or rest[1] == used


def _without_secrets(value: Any, keys: tuple[Any, ...], env: dict[str, str]) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: _without_secrets(item, (*keys, key), env) for key, item in items}
    if isinstance(value, list):
        return [_without_secrets(item, (*keys, n), env) for n, item in enumerate(cast("list[Any]", value))]
    if not isinstance(value, str) or not _is_secret(keys) or not can_be_variable(value):
        return value
    name = SECRET_PREFIX + env_var_name(".".join(map(str, keys)))
    while name in env:
        name += "_"
    env[name] = value
    return env_var_call(name)


def can_be_variable(value: str) -> bool:
    """Whether a value fits an environment variable, and is not itself a template of the user's for dbt."""
    return "\0" not in value and "{{" not in value and "{%" not in value and len(value.encode()) < LONGEST_VARIABLE


def _is_secret(keys: tuple[Any, ...]) -> bool:
    # keys: profile, "outputs", target, and then the keys of the target
    names = [str(key) for key in keys[3:]]
    return any(is_secret_key(name) for name in names)
