"""Targets, global configurations and profiles as blocks, whatever the database."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr, ValidationError

import prefect_dbt
from prefect_dbt import (
    BigQueryTargetConfigs,
    DbtCliProfile,
    GlobalConfigs,
    MissingExtrasRequireError,
    PostgresTargetConfigs,
    SnowflakeTargetConfigs,
    TargetConfigs,
)
from prefect_dbt.cli import _target_union
from prefect_dbt.cli.credentials import target_configs_discriminator
from prefect_gcp import GcpCredentials
from prefect_integration_tests.imports import modules_loaded_by
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

pytestmark = pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning")


def snowflake(password: str = "p") -> SnowflakeTargetConfigs:
    credentials = SnowflakeCredentials(account="a", user="u", password=password)
    connector = SnowflakeConnector(database="d", warehouse="w", schema="s", credentials=credentials)
    return SnowflakeTargetConfigs(connector=connector)


def bigquery(key: str = "k") -> BigQueryTargetConfigs:
    info = {"type": "service_account", "project_id": "p", "client_email": "c", "token_uri": "t", "private_key": key}
    return BigQueryTargetConfigs(schema="s", credentials=GcpCredentials(service_account_info=info))


def postgres(password: str = "p") -> PostgresTargetConfigs:
    info = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2, database="d", username="u", password=password, host="h"
    )
    return PostgresTargetConfigs(schema="s", credentials=SqlAlchemyConnector(connection_info=info))


def generic(password: str = "p") -> TargetConfigs:
    return TargetConfigs(type="redshift", schema="s", extras={"password": password})


MAKERS: dict[str, Callable[[str], Any]] = {
    "dbt-cli-snowflake-target-configs": snowflake,
    "dbt-cli-bigquery-target-configs": bigquery,
    "dbt-cli-postgres-target-configs": postgres,
    "dbt-cli-target-configs": generic,
}


# The generic target


def test_a_target_gives_its_fields_and_extras() -> None:
    target = TargetConfigs(type="redshift", schema="analytics", extras={"host": "h", "port": 5439, "sslmode": None})
    assert target.get_configs() == {"type": "redshift", "schema": "analytics", "threads": 4, "host": "h", "port": 5439}


def test_secrets_and_paths_become_plain_values() -> None:
    extras = {"password": SecretStr("p"), "keyfile": Path("/k.json"), "nested": [{"token": SecretStr("t")}]}
    configs = TargetConfigs(type="x", schema="s", extras=extras).get_configs()
    assert (configs["password"], configs["keyfile"], configs["nested"]) == ("p", "/k.json", [{"token": "t"}])


def test_the_schema_may_be_given_by_either_name() -> None:
    assert TargetConfigs(type="x", schema="s") == TargetConfigs(type="x", schema_="s")
    assert TargetConfigs(type="x", schema="s").schema_ == "s"
    with pytest.raises(ValidationError, match="schema"):
        TargetConfigs(type="x")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("key", ["schema", "type", "threads"])
def test_a_key_given_twice_is_refused_unless_fields_override(key: str) -> None:
    target = TargetConfigs(type="x", schema="s", extras={key: "other"})
    with pytest.raises(ValueError, match=rf"'{key}' is given by extras and by TargetConfigs.*allow_field_overrides"):
        target.get_configs()
    target = TargetConfigs(type="x", schema="s", extras={key: "other"}, allow_field_overrides=True)
    assert target.get_configs() == {"type": "x", "schema": "s", "threads": 4}


def test_what_extras_hide_is_not_shown(canary: str) -> None:
    target = TargetConfigs(
        type="x", schema="s", extras={"password": canary, "user": "u", "keyfile_json": {"private_key": canary}}
    )
    profile = DbtCliProfile(name="shop", target="dev", target_configs=target)
    for shown in (repr(target), str(target), repr(profile), str(profile)):
        assert canary not in shown
        assert "'user': 'u'" in shown


def test_global_configs_give_what_is_set() -> None:
    configs = GlobalConfigs(use_colors=False, printer_width=120, extras={"cache_selected_only": True})
    assert configs.get_configs() == {"use_colors": False, "printer_width": 120, "cache_selected_only": True}
    assert GlobalConfigs().get_configs() == {}
    with pytest.raises(ValueError, match="'debug' is given by extras and by GlobalConfigs"):
        GlobalConfigs(debug=True, extras={"debug": False}).get_configs()


# From a file


@pytest.fixture
def profiles_dir(tmp_path: Path) -> Path:
    content = {
        "config": {"use_colors": False},
        "shop": {
            "target": "dev",
            "outputs": {
                "dev": {"type": "duckdb", "path": "shop.duckdb"},
                "prod": {
                    "type": "postgres",
                    "schema": "s",
                    "threads": 8,
                    "host": "h",
                    "password": "{{ env_var('P') }}",
                },
                "cloud": {"type": "bigquery", "dataset": "d", "project": "p"},
            },
        },
        "other": {"outputs": {"default": {"type": "redshift", "schema": "o", "host": "h"}}},
        "bare": {"outputs": {"default": {"type": "redshift"}}},
    }
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    return tmp_path


@pytest.mark.parametrize(
    ("names", "configs"),
    [
        ({}, {"type": "duckdb", "schema": "main", "threads": 4, "path": "shop.duckdb"}),
        (
            {"profile_name": "shop", "target_name": "prod"},
            {"type": "postgres", "schema": "s", "threads": 8, "host": "h", "password": "{{ env_var('P') }}"},
        ),
        ({"target_name": "cloud"}, {"type": "bigquery", "schema": "d", "threads": 4, "project": "p"}),
        ({"profile_name": "other"}, {"type": "redshift", "schema": "o", "threads": 4, "host": "h"}),
    ],
    ids=["first profile, its target", "both named", "dataset", "dbt's default target"],
)
def test_a_target_is_made_of_one_in_a_file(profiles_dir: Path, names: dict[str, str], configs: dict[str, Any]) -> None:
    target = TargetConfigs.from_profiles_yml(**names, profiles_dir=str(profiles_dir))
    assert target.get_configs() == configs
    assert isinstance(target, TargetConfigs)


def test_the_folder_of_the_environment_is_used(profiles_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_PROFILES_DIR", str(profiles_dir))
    assert TargetConfigs.from_profiles_yml(allow_field_overrides=True).allow_field_overrides


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"profile_name": "shap"}, r"Profile 'shap' was not found in .*profiles\.yml\. It has: shop, other, bare\."),
        ({"target_name": "test"}, r"Target 'test' was not found in profile 'shop' .* It has: dev, prod, cloud\."),
        ({"profile_name": "bare"}, r"has no schema"),
    ],
)
def test_what_the_file_lacks_is_told_with_what_it_has(profiles_dir: Path, names: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TargetConfigs.from_profiles_yml(**names, profiles_dir=str(profiles_dir))


def test_a_missing_file_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No profiles.yml found"):
        TargetConfigs.from_profiles_yml(profiles_dir=str(tmp_path))


# Profiles


def test_a_profile_has_the_form_of_profiles_yml() -> None:
    target = TargetConfigs(type="duckdb", schema="main", extras={"path": "x"})
    profile = DbtCliProfile(name="shop", target="dev", target_configs=target)
    shop = {"target": "dev", "outputs": {"dev": {"type": "duckdb", "schema": "main", "threads": 4, "path": "x"}}}
    assert profile.get_profile() == {"shop": shop}
    profile = DbtCliProfile(
        name="shop", target="dev", target_configs=target, global_configs=GlobalConfigs(use_colors=False)
    )
    assert profile.get_profile() == {"config": {"use_colors": False}, "shop": shop}


@pytest.mark.parametrize("slug", MAKERS)
def test_a_target_is_told_by_block_by_slug_and_by_what_it_is_made_of(slug: str) -> None:
    target = MAKERS[slug]("p")
    assert target_configs_discriminator(target) == slug
    assert target_configs_discriminator({"block_type_slug": slug}) == slug
    assert target_configs_discriminator(dict(target)) == slug
    dumped = target.model_dump(by_alias=True, context={"include_secrets": True})
    assert target_configs_discriminator(dumped) == slug
    for given in (target, dumped, dict(target)):
        profile = DbtCliProfile(name="shop", target="dev", target_configs=given)  # pyright: ignore[reportArgumentType]
        assert type(profile.target_configs) is type(target)
        assert profile.target_configs.get_configs() == target.get_configs()


@pytest.mark.parametrize("given", [{}, {"type": "snowflake"}, {"type": "duckdb", "schema": "s"}, None, 3])
def test_what_nothing_else_speaks_for_is_generic(given: Any) -> None:
    assert target_configs_discriminator(given) == "dbt-cli-target-configs"


def test_a_block_that_is_no_target_is_refused_by_its_slug() -> None:
    with pytest.raises(ValidationError, match="'secret' is no block for a target"):
        DbtCliProfile(name="shop", target="dev", target_configs={"block_type_slug": "secret"})  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("slug", MAKERS)
def test_a_saved_profile_is_loaded_as_it_was(slug: str, canary: str) -> None:
    name = f"n{uuid.uuid4().hex[:8]}"
    profile = DbtCliProfile(
        name="shop", target="dev", target_configs=MAKERS[slug](canary), global_configs=GlobalConfigs(debug=True)
    )
    profile.save(name)
    loaded = DbtCliProfile.load(name)
    assert isinstance(loaded, DbtCliProfile)
    assert loaded.get_profile() == profile.get_profile()


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("slug", [slug for slug in MAKERS if slug != "dbt-cli-target-configs"])
def test_the_server_hides_the_secrets_of_the_target(slug: str, canary: str) -> None:
    from prefect.client.orchestration import get_client

    name = f"n{uuid.uuid4().hex[:8]}"
    DbtCliProfile(name="shop", target="dev", target_configs=MAKERS[slug](canary)).save(name)
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, "dbt-cli-profile", include_secrets=False)
    assert canary not in str(document.data)


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("slug", MAKERS)
def test_a_saved_target_is_referred_to_by_a_profile(slug: str, canary: str) -> None:
    name = f"n{uuid.uuid4().hex[:8]}"
    target = MAKERS[slug](canary)
    target.save(name)
    DbtCliProfile(name="shop", target="dev", target_configs=type(target).load(name)).save(name)
    loaded = DbtCliProfile.load(name)
    assert isinstance(loaded, DbtCliProfile)
    assert loaded.target_configs.get_configs() == target.get_configs()


# Extras that are not installed


def test_a_missing_extra_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_target_union, "is_installed", lambda module: False)  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(MissingExtrasRequireError, match=r'pip install "prefect-dbt\[snowflake\]"'):
        DbtCliProfile(name="a", target="b", target_configs={"block_type_slug": "dbt-cli-snowflake-target-configs"})  # pyright: ignore[reportArgumentType]
    target = TargetConfigs(type="duckdb", schema="main")
    assert DbtCliProfile(name="a", target="b", target_configs=target).target_configs == target
    assert "$ref" in str(DbtCliProfile.model_json_schema()["properties"]["target_configs"])


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(MissingExtrasRequireError("BigQuery")))
    assert isinstance(error, ImportError)
    assert 'pip install "prefect-dbt[bigquery]"' in str(error)


# Imports


@pytest.mark.parametrize(
    "code",
    [
        "from prefect_dbt.cli import DbtCliProfile, DbtCoreOperation, TargetConfigs",
        "from prefect_dbt import DbtCoreOperation; DbtCoreOperation(commands=['dbt build'])",
        """
from prefect_dbt import DbtCliProfile, TargetConfigs
target = TargetConfigs(type='duckdb', schema='main')
repr(DbtCliProfile(name='a', target='b', target_configs=target).get_profile())
""",
    ],
)
def test_a_flow_that_needs_no_database_block_loads_none(code: str) -> None:
    _, loaded = modules_loaded_by(f"import warnings; warnings.simplefilter('ignore')\n{code}")
    heavy = ("dbt", "prefect_snowflake", "prefect_gcp", "prefect_sqlalchemy", "snowflake", "sqlalchemy.engine")
    assert not [name for name in loaded if name.partition(".")[0] in heavy or name in heavy]


def test_importing_the_old_module_says_what_to_use_instead() -> None:
    code = (
        "import warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    from prefect_dbt.cli import DbtCliProfile\n"
        "said = [w for w in caught if w.category is UserWarning and 'PrefectDbtRunner' in str(w.message)]\n"
        "assert len(said) == 1, caught\n"
    )
    modules_loaded_by(code)


def test_every_public_name_is_found_where_it_is_published() -> None:
    import importlib

    for module in ("cli", "cli.configs", "cli.credentials"):
        found = importlib.import_module(f"prefect_dbt.{module}")
        for name in found.__all__:
            assert getattr(found, name) is not None
            assert name == "target_configs_discriminator" or getattr(prefect_dbt, name) is getattr(found, name)
