"""Small pure functions: names of assets, arguments of the command line, the folder of profiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dbt_common.events.base_types import EventLevel
from hypothesis import given
from hypothesis import strategies as st
from prefect.assets import Asset

from prefect_dbt.utilities import (
    find_profiles_dir,
    format_asset_name,
    format_resource_id,
    kwargs_to_args,
    replace_with_env_var_call,
)


def test_the_working_directory_is_used_if_it_has_profiles_else_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_profiles_dir() == Path.home() / ".dbt"
    (tmp_path / "profiles.yml").touch()
    assert find_profiles_dir() == tmp_path


def test_a_value_is_read_by_dbt_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_BLOCKS_SECRET_MY_DWH", raising=False)
    text = replace_with_env_var_call("{{ prefect.blocks.secret.my-dwh }}", 5432)
    assert text == "{{ env_var('PREFECT_BLOCKS_SECRET_MY_DWH') }}"
    assert os.environ.pop("PREFECT_BLOCKS_SECRET_MY_DWH") == "5432"


@pytest.mark.parametrize(
    ("relation", "key", "name"),
    [
        ('"dev"."main_marts"."product_metrics"', "dev/main_marts/product_metrics", "dev.main_marts.product_metrics"),
        ("`my-project`.`shop`.`orders`", "my-project/shop/orders", "my-project.shop.orders"),
        ("[dev].[dbo].[or]]ders]", "dev/dbo/or_ders", "dev.dbo.or]ders"),
        ("dev.main.orders", "dev/main/orders", "dev.main.orders"),
        ('"dev"."main"."a.b c"', "dev/main/a.b_c", "dev.main.a.b c"),
        ('"dev"."main"."say ""hi"""', "dev/main/say_hi_", 'dev.main.say "hi"'),
        ('"dev"."main"."größe/%"', "dev/main/größe__", "dev.main.größe/%"),
    ],
    ids=["double quotes", "backticks", "brackets", "bare", "dot and space", "doubled quote", "unicode and slash"],
)
def test_a_relation_becomes_a_key_and_a_name(relation: str, key: str, name: str) -> None:
    assert format_resource_id("duckdb", relation) == f"duckdb://{key}"
    assert format_asset_name(relation) == name


@given(st.text(), st.lists(st.text(), max_size=4))
def test_whatever_a_relation_is_called_its_key_is_valid(adapter: str, parts: list[str]) -> None:
    relation = ".".join(f'"{part}"' for part in parts)
    Asset(key=format_resource_id(adapter, relation))


def test_long_names_that_begin_alike_have_different_keys() -> None:
    keys = {format_resource_id("duckdb", '"dev"."main"."' + "x" * 600 + end + '"') for end in "ab"}
    assert len(keys) == 2
    for key in keys:
        Asset(key=key)


@pytest.mark.parametrize(
    ("kwargs", "args", "written"),
    [
        ({}, None, []),
        ({"threads": 4}, None, ["--threads", "4"]),
        ({"full_refresh": True, "fail_fast": True}, ["run"], ["run", "--full-refresh", "--fail-fast"]),
        ({"partial_parse": False}, ["run"], ["run", "--no-partial-parse"]),
        ({"full_refresh": False, "select": None}, ["run"], ["run"]),
        ({"select": ["a", "b+"]}, ["run"], ["run", "--select", "a", "b+"]),
        ({"select": []}, ["run"], ["run"]),
        ({"vars": {"day": 1}}, ["run"], ["run", "--vars", '{"day": 1}']),
        ({"project_dir": Path("shop")}, ["run"], ["run", "--project-dir", "shop"]),
        ({"log_level": EventLevel.WARN}, ["run"], ["run", "--log-level", "warn"]),
        ({"target": "dev"}, ["run", "--target", "prod"], ["run", "--target", "prod"]),
        ({"target": "dev"}, ["run", "-t", "prod"], ["run", "-t", "prod"]),
        ({"target": "dev"}, ["run", "--target=prod"], ["run", "--target=prod"]),
        ({"partial_parse": True}, ["run", "--no-partial-parse"], ["run", "--no-partial-parse"]),
        ({"select": ["a"]}, ["run", "-s", "b"], ["run", "-s", "b"]),
        ({"select": ["a"]}, ["run", "--models", "b"], ["run", "--models", "b"]),
        ({"threads": 1}, ["run", "-t", "prod"], ["run", "-t", "prod", "--threads", "1"]),
    ],
)
def test_keyword_arguments_become_options_unless_the_arguments_say_otherwise(
    kwargs: dict[str, Any], args: list[str] | None, written: list[str]
) -> None:
    before = list(args) if args is not None else None
    assert kwargs_to_args(kwargs, args) == written
    assert args == before


def test_dbt_reads_the_options_as_they_were_meant(tmp_path: Path) -> None:
    from dbt.cli.flags import args_to_context

    folders = {"profiles_dir": tmp_path, "project_dir": tmp_path}
    options = {"select": ["a", "b"], "vars": {"day": 1}, "full_refresh": True, "partial_parse": False, "threads": 3}
    args = kwargs_to_args({**folders, **options}, ["run"])
    params = args_to_context(args).params
    assert params["select"] == ("a", "b")
    assert params["vars"] == {"day": 1}
    assert (params["full_refresh"], params["partial_parse"], params["threads"]) == (True, False, 3)
