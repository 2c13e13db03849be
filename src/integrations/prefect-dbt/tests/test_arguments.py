"""Arguments are read by dbt's own tree of commands, whatever the command and the order of its flags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import pytest
from dbt.cli.main import cli
from hypothesis import given
from hypothesis import strategies as st

from prefect_dbt._dbt.child.arguments import resolve

_ROOT: Any = cli

INJECT: dict[str, Any] = {
    "profiles_dir": "/profiles",
    "project_dir": "/project",
    "target_path": "/target",
    "log_level": "warn",
    "state": "/state",
    "defer": True,
    "select": ["one", "two"],
}


def commands(group: Any = _ROOT, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words."""
    if not hasattr(group, "commands"):
        return [(words, group)]
    return [found for name, each in group.commands.items() for found in commands(each, (*words, name))]


COMMANDS = commands()


def options(command: Any) -> list[click.Option]:
    return [
        param for param in command.params if isinstance(param, click.Option) and param.name not in ("version", "help")
    ]


def written(option: click.Option, use_second: bool) -> list[str]:
    """An option with a value, as a user writes it."""
    name = option.opts[0]
    if option.is_flag:
        return [option.secondary_opts[0] if use_second and option.secondary_opts else name]
    if isinstance(option.type, click.Choice):
        return [name, str(option.type.choices[0])]
    return [name, "value"]


def parsed(args: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any], list[str]]:
    """Words, options and operands, by click alone."""
    command, rest, words, found, operands = _ROOT, list(args), (), {}, list[str]()
    while True:
        context = click.Context(command, **command.context_settings)
        values, left, order = command.make_parser(context).parse_args(rest)
        for param in order:
            if isinstance(param, click.Option):
                assert param.name not in found, f"{param.name} is given before and after the command"
                found[param.name] = values[param.name]
            elif values[param.name] is not None:
                operands.append(values[param.name])
        if not hasattr(command, "commands"):
            return words, found, operands + left
        words, command, rest = (*words, left[0]), command.commands[left[0]], left[1:]


@st.composite
def calls(draw: st.DrawFn) -> tuple[tuple[str, ...], Any, list[str], set[str]]:
    """A command with flags before and behind it, none twice."""
    words, command = draw(st.sampled_from(COMMANDS))
    flags = st.tuples(st.sampled_from(options(_ROOT)), st.booleans())
    before = draw(st.lists(flags, max_size=4, unique_by=lambda flag: flag[0].name))
    names = {option.name for option, _ in before}
    behind = draw(
        st.lists(
            st.tuples(st.sampled_from([each for each in options(command) if each.name not in names]), st.booleans()),
            max_size=4,
            unique_by=lambda flag: flag[0].name,
        )
    )
    args = ["dbt"] if draw(st.booleans()) else []
    args += [word for option, second in before for word in written(option, second)]
    args += words
    args += [param.name or "" for param in command.params if isinstance(param, click.Argument)]
    args += [word for option, second in behind for word in written(option, second)]
    return words, command, args, names | {option.name for option, _ in behind}


@given(calls())
def test_a_parameter_is_added_exactly_where_the_command_accepts_it_and_nobody_gave_it(
    call: tuple[tuple[str, ...], Any, list[str], set[str]],
) -> None:
    words, command, args, given_names = call
    resolved = resolve(_ROOT, args, inject=INJECT)
    _, asked, operands = parsed(args[1:] if args[0] == "dbt" else args)
    found_words, found, left = parsed(resolved.args)
    assert resolved.command == " ".join(words) == " ".join(found_words)
    accepted = {option.name for option in options(command)}
    assert set(found) == given_names | (INJECT.keys() & accepted)
    assert {name: found[name] for name in asked} == asked
    assert left == operands


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS], ids=[" ".join(words) for words, _ in COMMANDS])
def test_every_command_gets_its_folders(words: tuple[str, ...]) -> None:
    resolved = resolve(_ROOT, words, inject=INJECT)
    assert "--profiles-dir=/profiles" in resolved.args
    assert "--project-dir=/project" in resolved.args
    assert ("--target-path=/target" in resolved.args) == (words not in [("debug",), ("deps",), ("init",)])


@pytest.mark.parametrize(
    ("args", "command", "ran"),
    [
        (["source freshness"], "source freshness", ["source", "freshness", "--target-path=/t"]),
        (["dbt", "docs", "generate"], "docs generate", ["docs", "generate", "--target-path=/t"]),
        (["--quiet", "run"], "run", ["--quiet", "run", "--target-path=/t"]),
        (["run", "--target-path", "x"], "run", ["run", "--target-path", "x"]),
        (["run", "--target-path=x"], "run", ["run", "--target-path=x"]),
        (["run", "-s", "a", "b", "-x"], "run", ["run", "-s", "a", "b", "-x"]),  # -x is --fail-fast
        (["deps"], "deps", ["deps"]),
        (["--version"], "", ["--version"]),
        ([], "", []),
        (["biuld"], "", ["biuld"]),
        (["run", "--no-such-flag"], "run", ["run", "--no-such-flag"]),
        (["--select", "x", "run"], "", ["--select", "x", "run"]),  # dbt refuses it, and says so
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_arguments_as_users_write_them(args: list[str], command: str, ran: list[str]) -> None:
    resolved = resolve(_ROOT, args, inject={"target_path": "/t"})
    assert resolved.command == command
    if args[:1] == ["run"] and "-s" in args:
        assert resolved.args == ["run", "--target-path=/t", *args[1:]]
    else:
        assert resolved.args == ran


def test_a_parameter_that_dbt_gets_by_name_is_not_added() -> None:
    assert resolve(_ROOT, ["run"], {"target_path"}, {"target_path": "/t"}).args == ["run"]


def test_a_flag_is_switched_either_way() -> None:
    assert resolve(_ROOT, ["run"], inject={"defer": True, "partial_parse": False}).args == [
        "run",
        "--defer",
        "--no-partial-parse",
    ]


def test_several_values_do_not_swallow_what_comes_behind_them() -> None:
    resolved = resolve(_ROOT, ["run-operation", "grant"], inject={"target_path": "/t"})
    assert parsed(resolved.args)[2] == ["grant"]
    resolved = resolve(_ROOT, ["build", "--full-refresh"], inject={"select": ["a", "b"], "target_path": "/t"})
    assert parsed(resolved.args)[1]["select"] == [("a", "b")]
