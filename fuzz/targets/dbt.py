"""Parsers of prefect-dbt."""

from __future__ import annotations

import shlex
import warnings

from prefect_dbt._secret_keys import masked
from prefect_dbt._templates import has_templates
from prefect_dbt.cloud._failed_steps import command_name
from prefect_dbt.utilities import env_var_call, env_var_name, format_resource_id, identifiers, kwargs_to_args

from ..registry import refusing, target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the tasks are old ones
    from prefect_dbt.cli._shell_commands import dbt_arguments, with_options


@target('"dev"."main"."a""b"', "`a`.`b`", "[a].[b]", "a.b.c", '"', "``", "a b/c?d")
def relation_names(text: str) -> None:
    """The key of an asset is one that Prefect takes."""
    from prefect.types.names import validate_valid_asset_key

    if identifiers(text):
        validate_valid_asset_key(format_resource_id("duckdb", text))


@target("dbt run --select a", "FOO=1 dbt build", "dbt run; rm -rf x", "dbt run $(id)", "'", "dbt run # x", "dbt\trun\\")
def shell_commands(command: str) -> None:
    """A command that options are added to does nothing else, and the options are its arguments."""
    words = dbt_arguments(command)
    if words is None:
        return
    changed = with_options([command], {"--project-dir": "/p; id"}, "bash")[0]
    text = changed.removesuffix(" || exit $?")
    given = shlex.split(command.strip())
    assert shlex.split(text)[: len(given)] == given
    assert "/p; id" in shlex.split(text) or "; id" not in text


@target("dbt run --select x", "dbt --warn-error build", "'", "run", "")
def cloud_commands(command: str) -> None:
    """Any command has a name, or none."""
    assert isinstance(command_name(command), str)


@target("{{ prefect.blocks.secret.a }}", "{{ prefect.variables.x", "')}} {{ evil('", "a'b", "{% prefect.blocks.x %}")
def placeholders(text: str) -> None:
    """A placeholder becomes the name of an environment variable, which cannot end its own text."""
    has_templates(text)
    name = env_var_name(text)
    assert not set(name) & set("'\"{}\n\\ ")
    assert env_var_call(name).count("'") == 2


@target(("target", "dev"), ("select", "--x"), ("vars", "{}"), ("no-x", "y"))
def keyword_arguments(name: str, value: str) -> None:
    """A keyword becomes one option and its value."""
    assert kwargs_to_args({name: value}) == [f"--{name.replace('_', '-')}", value]
    assert kwargs_to_args({name: None}) == []


@target("password", "private_key", "token_url", "api_key", "pwd", "x")
def secret_keys(name: str) -> None:
    """What sounds like a password is never shown."""
    with refusing(ValueError):
        shown = masked({name: "q7Zx", "password": "q7Zx", "deep": {"client_secret": "q7Zx"}})
        assert shown["password"] != "q7Zx"
        assert shown["deep"] if name != "deep" else True
