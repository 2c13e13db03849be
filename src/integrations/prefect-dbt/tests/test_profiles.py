"""References to Prefect's blocks and variables in `profiles.yml`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context
from prefect import flow
from prefect.blocks.system import Secret
from prefect.variables import Variable
from pydantic import SecretStr

from prefect_dbt import PrefectDbtSettings
from prefect_dbt._private_folders import private_folder, sweep, write_private
from prefect_dbt._profiles import lend_profiles, read_profiles, resolved_profiles
from prefect_dbt.cloud.credentials import DbtCloudCredentials
from prefect_dbt.errors import DbtProfileError

pytestmark = pytest.mark.usefixtures("prefect_harness")

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes `profiles.yml`, of a mapping or a text, and returns its folder."""

    def write(content: Any) -> Path:
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        (tmp_path / "profiles.yml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def name() -> str:
    return f"n{uuid.uuid4().hex[:8]}"


def _profile(target: Any = "dev", **dev: Any) -> dict[str, Any]:
    return {"shop": {"target": target, "outputs": {"dev": {"type": "duckdb", **dev}}}}


def rendered(folder: Any, env: Any) -> dict[str, Any]:
    """What dbt reads, given the variables that are lent."""
    set_invocation_context({**os.environ, **env})
    return ProfileRenderer().render_data(yaml.safe_load((Path(folder) / "profiles.yml").read_text("utf-8")))


def test_a_secret_reaches_dbt_and_not_the_file(write: Write, name: str, canary: str) -> None:
    Secret(value=canary).save(name)
    before = dict(os.environ)
    folder = write(_profile(password=f"{{{{ prefect.blocks.secret.{name} }}}}"))
    with resolved_profiles(folder) as lent:
        assert rendered(lent, lent.env)["shop"]["outputs"]["dev"]["password"] == canary
        assert canary not in (lent / "profiles.yml").read_text()
        assert canary not in repr(lent)
        assert [variable.startswith("DBT_ENV_SECRET_") for variable in lent.env] == [
            True
        ]  # so dbt masks it in its logs
        assert dict(os.environ) == before
        assert stat.S_IMODE(lent.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((lent / "profiles.yml").stat().st_mode) == 0o600
    assert not lent.path.exists()


def test_the_published_context_lends_the_environment_of_this_process(write: Write, name: str, canary: str) -> None:
    Secret(value=canary).save(name)
    before = dict(os.environ)
    settings = PrefectDbtSettings(profiles_dir=write(_profile(password=f"{{{{ prefect.blocks.secret.{name} }}}}")))
    with settings.resolve_profiles_yml() as first, settings.resolve_profiles_yml() as second:
        assert first != second
        assert rendered(first, {})["shop"]["outputs"]["dev"]["password"] == canary
    assert dict(os.environ) == before
    assert not Path(first).exists()


async def test_references_are_filled_in_within_a_running_event_loop(write: Write, name: str, canary: str) -> None:
    await Secret(value=canary).save(name)  # pyright: ignore[reportGeneralTypeIssues]
    folder = write(_profile(password=f"{{{{ prefect.blocks.secret.{name} }}}}"))

    @flow
    async def reads() -> Any:
        with resolved_profiles(folder) as lent:
            return rendered(lent, lent.env)

    assert (await reads())["shop"]["outputs"]["dev"]["password"] == canary


def test_fields_of_a_block_are_secret_only_if_its_schema_says_so(write: Write, name: str, canary: str) -> None:
    DbtCloudCredentials(api_key=SecretStr(canary), account_id=7).save(name)
    reference = f"prefect.blocks.dbt-cloud-credentials.{name}"
    content = {key: f"{{{{ {reference}.{key} }}}}" for key in ("api_key", "account_id", "domain")}
    folder = write(_profile(**content))
    with resolved_profiles(folder) as lent:
        dev = rendered(lent, lent.env)["shop"]["outputs"]["dev"]
        assert (dev["api_key"], dev["account_id"], dev["domain"]) == (canary, 7, "cloud.getdbt.com")
        assert [variable for variable in lent.env if "SECRET" in variable] == [
            variable for variable, value in lent.env.items() if value == canary
        ]


def test_variables_keep_their_type_and_may_hold_references(write: Write, name: str, canary: str) -> None:
    Secret(value=canary).save(name)
    Variable.set(f"{name}_threads", 4)
    Variable.set(f"{name}_target", "dev")
    Variable.set(f"{name}_secret", f"{{{{ prefect.blocks.secret.{name} }}}}")
    Variable.set(f"{name}_name", name)
    Variable.set(f"{name}_attach", [{"path": "a.duckdb"}])
    folder = write(
        _profile(
            f"{{{{ prefect.variables.{name}_target }}}}",
            threads=f"{{{{prefect.variables.{name}_threads}}}}",
            path=f"/data/{{{{ prefect.variables.{name}_target }}}}/{{{{ prefect.variables.{name}_threads }}}}.duckdb",
            password=f"{{{{ prefect.variables.{name}_secret }}}}",
            token=f"{{{{ prefect.blocks.secret.{{{{ prefect.variables.{name}_name }}}} }}}}",
            attach=f"{{{{ prefect.variables.{name}_attach }}}}",
        )
    )
    with resolved_profiles(folder) as lent:
        read = rendered(lent, lent.env)["shop"]
        assert read["target"] == "dev"
        assert read["outputs"]["dev"] == {
            "type": "duckdb",
            "threads": 4,
            "path": "/data/dev/4.duckdb",
            "password": canary,
            "token": canary,
            "attach": [{"path": "a.duckdb"}],
        }
        assert canary not in (lent / "profiles.yml").read_text()


def test_a_whole_block_and_its_nested_parts_can_be_used(write: Write, name: str, canary: str) -> None:
    value = {"user": "u", "keys": [{"password": canary}], "port": 5432, "ssl": True}
    Secret(value=value).save(name)
    reference = f"prefect.blocks.secret.{name}"
    folder = write(_profile(all=f"{{{{ {reference} }}}}", one=f"{{{{ {reference}.keys[0].password }}}}"))
    with resolved_profiles(folder) as lent:
        dev = rendered(lent, lent.env)["shop"]["outputs"]["dev"]
        assert dev["all"] == value
        assert dev["one"] == canary
        assert canary not in (lent / "profiles.yml").read_text()


@pytest.mark.parametrize(
    "value",
    ["{{ not_jinja }}", "a'b\"c: #d", "line\nbreak\n", "ünï", "{% raw %}", "$HOME", "007", "", "x" * 200_000],
    ids=["braces", "quotes", "lines", "unicode", "tags", "dollar", "digits", "empty", "long"],
)
def test_any_value_arrives_as_it_is(write: Write, name: str, value: str) -> None:
    Secret(value=value).save(name)
    folder = write(_profile(password=f"{{{{ prefect.blocks.secret.{name} }}}}"))
    with resolved_profiles(folder) as lent:
        assert rendered(lent, lent.env)["shop"]["outputs"]["dev"]["password"] == value


def test_references_stand_beside_text_and_dbts_own_templates(
    write: Write, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Secret(value="one").save(f"{name}-a")
    Secret(value="two").save(f"{name}-b")
    monkeypatch.setenv("SHOP_HOST", "db")
    a, b = (f"{{{{ prefect.blocks.secret.{name}-{end} }}}}" for end in "ab")
    folder = write(
        _profile(
            url=f"pg://{a}:{b}@host",
            mixed=f"{{{{ env_var('SHOP_HOST') }}}}-{a}-{b}",
            dbts="{{ env_var('SHOP_HOST') }}",
        )
    )
    with resolved_profiles(folder) as lent:
        dev = rendered(lent, lent.env)["shop"]["outputs"]["dev"]
        assert (dev["url"], dev["mixed"], dev["dbts"]) == ("pg://one:two@host", "db-one-two", "db")


def test_a_file_without_references_is_used_where_it_lies(write: Write) -> None:
    folder = write(_profile(password="{{ env_var('PASSWORD') }}"))
    with resolved_profiles(folder) as lent:
        assert lent.path == folder
        assert dict(lent.env) == {}


# What is missing


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("prefect.blocks.secret.NAME", "there is no block 'NAME' of type 'secret'"),
        ("prefect.blocks.no-such-type.NAME", "there is no block 'NAME' of type 'no-such-type'"),
        ("prefect.variables.NAME", "there is no variable 'NAME'"),
        ("prefect.blocks.secret", "a reference is written prefect.blocks.TYPE-SLUG"),
    ],
)
def test_what_is_missing_is_named_with_its_place_and_file(
    write: Write, name: str, reference: str, problem: str
) -> None:
    reference, problem = (text.replace("NAME", name) for text in (reference, problem))
    folder = write(_profile(password=f"{{{{ {reference} }}}}"))
    with pytest.raises(DbtProfileError) as caught, resolved_profiles(folder):
        pass
    for part in (str(folder / "profiles.yml"), reference, "shop.outputs.dev.password", problem):
        assert part in str(caught.value)


def test_a_field_that_a_block_lacks_is_named_with_those_that_it_has(write: Write, name: str, canary: str) -> None:
    DbtCloudCredentials(api_key=SecretStr(canary), account_id=7).save(name)
    folder = write(_profile(password=f"{{{{ prefect.blocks.dbt-cloud-credentials.{name}.passwort }}}}"))
    says = r"has no 'passwort': it has .*api_key"
    with pytest.raises(DbtProfileError, match=says) as caught, resolved_profiles(folder):
        pass
    assert canary not in str(caught.value)


def test_all_that_is_missing_is_told_at_once(write: Write, name: str) -> None:
    folder = write(
        _profile(user=f"{{{{ prefect.variables.{name}_a }}}}", password=f"{{{{ prefect.variables.{name}_b }}}}")
    )
    with pytest.raises(DbtProfileError, match=f"(?s){name}_a.*{name}_b"), resolved_profiles(folder):
        pass


def test_only_the_target_in_use_must_be_complete(write: Write, tmp_path: Path, name: str) -> None:
    missing = f"{{{{ prefect.blocks.secret.{name} }}}}"
    outputs = {"dev": {"type": "duckdb"}, "prod": {"type": "snowflake", "password": missing}}
    content = {"shop": {"target": "dev", "outputs": outputs}, "other": {"outputs": {"default": {"password": missing}}}}
    folder = write(content)
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    with resolved_profiles(folder, project_dir=tmp_path) as lent:
        read = yaml.safe_load((lent / "profiles.yml").read_text())
    assert read["shop"]["outputs"]["dev"] == {"type": "duckdb"}
    # dbt itself refuses the other one, by a variable whose name says what is missing
    with pytest.raises(Exception, match=f"there is no block.*{name}.*profiles.yml"):
        ProfileRenderer().render_data(read["shop"]["outputs"]["prod"])
    for given, keys in (
        ({"project_dir": tmp_path, "target": "prod"}, r"shop\.outputs\.prod\.password"),
        ({"profile": "other"}, r"other\.outputs\.default\.password"),
    ):
        with pytest.raises(DbtProfileError, match=keys), resolved_profiles(folder, **given):
            pass


@pytest.mark.parametrize("text", ["{{ prefect.variables.x | upper }}", "{% if prefect.blocks.a.b %}{% endif %}"])
def test_an_expression_is_refused_by_its_text(write: Write, text: str) -> None:
    with (
        pytest.raises(DbtProfileError, match="without filters or operators"),
        resolved_profiles(write(_profile(x=text))),
    ):
        pass


def test_variables_that_name_each_other_are_refused(write: Write, name: str) -> None:
    Variable.set(f"{name}_a", f"{{{{ prefect.variables.{name}_b }}}}")
    Variable.set(f"{name}_b", f"{{{{ prefect.variables.{name}_a }}}}")
    folder = write(_profile(x=f"{{{{ prefect.variables.{name}_a }}}}"))
    with pytest.raises(DbtProfileError, match="without end"), resolved_profiles(folder):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shop:\n  outputs:\n    dev: [1,\n", r"profiles\.yml, line \d+, column \d+: not valid YAML"),
        ("shop:\n  password: {{ prefect.blocks.secret.a }}\n", r"line 2, column \d+.*must stand in quotes"),
        ("", r"profiles\.yml is empty"),
        ("- shop\n", r"holds a list"),
        ("shop: {a: &x 1, b: *y}\n", r"line 1"),
    ],
    ids=["unclosed", "no quotes", "empty", "list", "unknown alias"],
)
def test_bad_yaml_is_named_by_file_and_line(write: Write, text: str, says: str) -> None:
    with pytest.raises(DbtProfileError, match=says):
        read_profiles(write(text))


def test_a_bad_file_is_not_quoted(write: Write, canary: str) -> None:
    with pytest.raises(DbtProfileError) as caught:
        read_profiles(write(f"shop:\n  password: '{canary}\n"))
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_bytes("größe: 1".encode("latin-1"))
    with pytest.raises(DbtProfileError, match=r"not UTF-8"):
        read_profiles(tmp_path)


# Private folders


def test_secrets_of_a_profile_that_lies_nowhere_travel_by_the_environment(canary: str) -> None:
    target = {
        "type": "x",
        "host": "db",
        "password": canary,
        "keyfile_json": {"private_key": f"{canary}-key"},
        "private_key_path": "/keys/a.p8",
        "pass": "{{ env_var('PGPASSWORD') }}",
    }
    content = {"shop": {"target": "dev", "outputs": {"dev": target}}}
    with lend_profiles(content) as lent:
        text = (lent / "profiles.yml").read_text()
        assert canary not in text
        assert "/keys/a.p8" in text
        assert "PGPASSWORD" in text
        assert rendered(lent, {**lent.env, "PGPASSWORD": "p"})["shop"]["outputs"]["dev"] == {**target, "pass": "p"}
    assert not lent.path.exists()


def test_a_folder_is_removed_when_its_user_fails() -> None:
    with pytest.raises(KeyboardInterrupt), private_folder() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def _made_by_another_process(is_killed: bool) -> tuple[subprocess.Popen[str], Path]:
    code = (
        "import sys\nfrom prefect_dbt._private_folders import private_folder\n"
        "with private_folder() as folder:\n    print(folder, flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    if is_killed:
        process.kill()
        process.wait(10)
    return process, folder


def _age(folder: Path) -> None:
    long_ago = time.time() - 3600
    os.utime(folder, (long_ago, long_ago))


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    _, left = _made_by_another_process(is_killed=True)
    process, used = _made_by_another_process(is_killed=False)
    try:
        (left / "profiles.yml").write_text("password: x")
        with private_folder() as own:
            for folder in (left, used, own):
                _age(folder)
            sweep()
            assert [folder.exists() for folder in (left, used, own)] == [False, True, True]
    finally:
        process.communicate("")
    assert not used.exists()


def test_a_file_is_replaced_as_a_whole_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
