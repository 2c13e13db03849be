"""Small pure functions that several modules share: profile folders, asset keys, arguments of the command line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, cast

__all__ = [
    "find_profiles_dir",
    "format_asset_name",
    "format_resource_id",
    "kwargs_to_args",
    "replace_with_env_var_call",
]

# Longest key of an asset, and what it cannot hold: `prefect.types.names.validate_valid_asset_key`.
_MAX_ASSET_KEY = 512
_NOT_IN_ASSET_KEY = re.compile(r"""[\s\x00#?&%"'<>\[\]{}|\\^`]+""")

# A relation name as databases quote it: "a"."b", `a`.`b`, [a].[b], a.b. A doubled quote stands for one.
_IDENTIFIER = re.compile(r'"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[((?:[^\]]|\]\])*)\]|([^."`\[\]]+)')

# Other names of dbt's options (dbt/cli/params.py), and the flags that have no `--no-` form.
_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "--debug": ("-d",),
    "--exclude-resource-types": ("--exclude-resource-type",),
    "--fail-fast": ("-x",),
    "--full-refresh": ("-f",),
    "--quiet": ("-q",),
    "--record-timing-info": ("-r",),
    "--resource-types": ("--resource-type",),
    "--select": ("-s", "-m", "--models", "--model"),
    "--target": ("-t",),
}
_FIRST_NAME = {other: name for name, others in _OTHER_NAMES.items() for other in others}
_ONLY_ON = {
    "--config-dir",
    "--connection",
    "--full-refresh",
    "--lock",
    "--show",
    "--skip-profile-setup",
    "--store-failures",
    "--upgrade",
    "--version",
    "--warn-error",
}


def find_profiles_dir() -> Path:
    """Find the folder that dbt would read `profiles.yml` from.

    Returns:
        The working directory if `profiles.yml` lies there, else `.dbt` in the home folder, whether or not it exists.
    """
    here = Path.cwd()
    return here if (here / "profiles.yml").exists() else Path.home() / ".dbt"


def env_var_name(placeholder: str) -> str:
    """Name an environment variable after a placeholder: `PREFECT_BLOCKS_SECRET_A` for `prefect.blocks.secret.a`.

    Args:
        placeholder: The reference, with or without its braces.
    """
    return re.sub(r"\W+", "_", placeholder, flags=re.ASCII).strip("_").upper()


def env_var_call(name: str) -> str:
    """Return the template text by which dbt reads an environment variable."""
    return f"{{{{ env_var('{name}') }}}}"


def replace_with_env_var_call(placeholder: str, value: Any) -> str:
    """Put a value into the environment of this process, and return the template text by which dbt reads it there.

    Args:
        placeholder: The reference that the text replaces, such as `{{ prefect.blocks.secret.warehouse }}`.
        value: The value. It is stored as text.

    Returns:
        A call of dbt's `env_var`, such as `{{ env_var('PREFECT_BLOCKS_SECRET_WAREHOUSE') }}`.

    Example:
        ```python
        from prefect_dbt.utilities import replace_with_env_var_call

        replace_with_env_var_call("prefect.blocks.secret.dwh", "abc")  # "{{ env_var('PREFECT_BLOCKS_SECRET_DWH') }}"
        ```
    """
    name = env_var_name(placeholder)
    os.environ[name] = str(value)
    return env_var_call(name)


def identifiers(relation_name: str) -> list[str]:
    """Split a relation name into its identifiers, without their quotes. Dots within quotes belong to the identifier.

    Args:
        relation_name: The name as dbt writes it for its database.
    """
    parts: list[str] = []
    for double, back, bracket, bare in cast("list[tuple[str, str, str, str]]", _IDENTIFIER.findall(relation_name)):
        part = double.replace('""', '"') or back.replace("``", "`") or bracket.replace("]]", "]") or bare.strip()
        if part:
            parts.append(part)
    return parts


def format_asset_name(relation_name: str) -> str:
    """Make a name for people of a relation name: its identifiers, without quotes, joined by dots.

    Args:
        relation_name: The name as dbt writes it, such as `"dev"."main_marts"."product_metrics"`.

    Returns:
        Such as `dev.main_marts.product_metrics`.
    """
    return ".".join(identifiers(relation_name))


def format_resource_id(adapter_type: str, relation_name: str) -> str:
    """Make a valid asset key of a relation name.

    Args:
        adapter_type: Type of the adapter, such as `duckdb`.
        relation_name: The name as dbt writes it, such as `"dev"."main_marts"."product_metrics"`.

    Returns:
        Such as `duckdb://dev/main_marts/product_metrics`. Characters that a key cannot hold become `_`, and a key that
        would be longer than 512 characters ends in a digest of what was cut off.
    """
    scheme = re.sub(r"[^a-z0-9]", "", adapter_type.lower()) or "dbt"
    path = "/".join(_NOT_IN_ASSET_KEY.sub("_", part.replace("/", "_")) for part in identifiers(relation_name))
    key = f"{scheme}://{path}"
    if len(key) <= _MAX_ASSET_KEY:
        return key
    import hashlib

    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: _MAX_ASSET_KEY - len(digest) - 1]}-{digest}"


def kwargs_to_args(kwargs: Mapping[str, Any], args: Sequence[str] | None = None) -> list[str]:
    """Write keyword arguments of `dbtRunner.invoke` as arguments of dbt's command line.

    Args:
        kwargs: The keyword arguments. `True` becomes `--name` and `False` `--no-name` where dbt has that; `None` is
            left out; a list gives its items one after another; a mapping, such as `vars`, is written as JSON.
        args: Arguments that are there already. They come first, and what they say, by whatever name of an option,
            counts.

    Returns:
        `args`, followed by the keyword arguments that they do not contradict.

    Example:
        ```python
        from prefect_dbt.utilities import kwargs_to_args

        args = kwargs_to_args({"target": "dev", "threads": 8}, ["build", "-t", "prod"])
        assert args == ["build", "-t", "prod", "--threads", "8"]
        ```
    """
    given = list(args or ())
    said = {_canonical(arg) for arg in given if arg.startswith("-")}
    written = list(given)
    for key, value in kwargs.items():
        option = f"--{key.replace('_', '-')}"
        if value is None or _canonical(option) in said:
            continue
        written += _written(option, value)
    return written


def _canonical(arg: str) -> str:
    """The name that an option is best known by, whatever it was called and whichever way it was set."""
    name = arg.partition("=")[0]
    name = _FIRST_NAME.get(name, name)
    return f"--{name[5:]}" if name.startswith("--no-") else name


def _written(option: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        if value:
            return [option]
        return [] if option in _ONLY_ON else [f"--no-{option[2:]}"]
    if isinstance(value, Mapping):
        return [option, json.dumps(value, default=str)]
    if isinstance(value, list | tuple | set | frozenset):
        items = [_text(item) for item in cast("Sequence[Any]", value)]
        return [option, *items] if items else []
    return [option, _text(value)]


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)
