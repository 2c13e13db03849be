"""The Prefect server of the tests starts with a template of its database, and without one where none can be had."""

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import prefect
import pytest

from prefect_integration_tests import harness
from prefect_integration_tests.harness import KEPT, Template, cache_folder, temporary_server


@pytest.fixture
def database(tmp_path) -> Path:
    """A database with one migration, and one row in a table of its own."""
    path = tmp_path / "server.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")
        db.execute("INSERT INTO alembic_version VALUES ('a1')")
        db.execute("CREATE TABLE block_type (slug TEXT)")
        db.execute("INSERT INTO block_type VALUES ('webhook')")
        db.commit()
    return path


@pytest.fixture
def template(tmp_path) -> Template:
    return Template(tmp_path / "deep" / "cache")


def build(template: Template, database: Path) -> None:
    with template.building() as is_mine:
        assert is_mine
        template.save(database)


def slugs(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as db:
        return [slug for (slug,) in db.execute("SELECT slug FROM block_type")]


def test_a_template_is_what_the_server_had_committed_while_it_ran(template, database, tmp_path) -> None:
    with closing(sqlite3.connect(database)) as server:
        server.execute("INSERT INTO block_type VALUES ('secret')")
        server.commit()
        server.execute("INSERT INTO block_type VALUES ('not committed')")
        build(template, database)
    assert template.copy_to(tmp_path / "copy.db")
    assert slugs(tmp_path / "copy.db") == ["webhook", "secret"]
    assert sorted(path.name for path in template.path.parent.iterdir()) == ["lock", template.path.name]


def test_copies_do_not_change_the_template(template, database, tmp_path) -> None:
    build(template, database)
    assert template.copy_to(tmp_path / "one.db")
    with closing(sqlite3.connect(tmp_path / "one.db")) as db:
        db.execute("DELETE FROM block_type")
        db.commit()
    assert template.copy_to(tmp_path / "two.db")
    assert slugs(tmp_path / "two.db") == ["webhook"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def forget_migrations(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM alembic_version")
        db.commit()


@pytest.mark.parametrize("spoil", [Path.unlink, cut, empty, scribble, forget_migrations])
def test_a_template_that_is_not_sound_is_not_used(template, database, tmp_path, spoil) -> None:
    build(template, database)
    spoil(template.path)
    assert not template.copy_to(tmp_path / "copy.db")
    assert list(tmp_path.glob("copy.db*")) == []


def test_what_a_killed_process_left_behind_is_no_template(template, database, tmp_path) -> None:
    build(template, database)
    template.discard()
    (template.path.parent / "draft.db").write_bytes(b"half")
    assert not template.copy_to(tmp_path / "copy.db")
    build(template, database)
    assert template.copy_to(tmp_path / "copy.db")


def test_one_process_builds_and_the_others_find_its_template(template, database, tmp_path) -> None:
    found: list[bool] = []

    def other() -> None:
        with Template(template.path.parent).building():
            found.append(template.copy_to(tmp_path / "copy.db"))

    with template.building():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        assert found == []
        template.save(database)
    thread.join(30)
    assert found == [True]


def test_without_a_place_to_keep_it_there_is_no_template_and_no_error(database, tmp_path) -> None:
    (tmp_path / "file").touch()
    template = Template(tmp_path / "file" / "cache")
    assert not template.copy_to(tmp_path / "copy.db")
    with template.building() as is_mine:
        assert not is_mine
    template.save(database)
    template.discard()
    assert slugs(database) == ["webhook"]


def test_templates_of_few_versions_are_kept(database, tmp_path, monkeypatch) -> None:
    for minor in range(KEPT + 2):
        monkeypatch.setattr(prefect, "__version__", f"0.{minor}")
        template = Template(tmp_path / "cache")
        build(template, database)
        assert template.copy_to(tmp_path / "copy.db")
    assert len(list((tmp_path / "cache").glob("*.db"))) == KEPT
    assert template.path.exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/caches", "HOME": "/home/ann"}, "/caches/prefect-integration-tests"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/ann"}, "/home/ann/.cache/prefect-integration-tests"),
    ],
)
def test_the_cache_is_the_users_own(monkeypatch, environment, expected) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def test_bytecode_has_a_place_where_python_may_write_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path / "nothing here"))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folders = set()
    for prefix in "abcde":
        monkeypatch.setattr("sys.prefix", prefix)
        variables = harness.bytecode_variables(tmp_path)
        assert variables["PYTHONDONTWRITEBYTECODE"] == ""
        folders.add(variables["PYTHONPYCACHEPREFIX"])
    assert len(folders) == 5
    assert len(list(tmp_path.glob("bytecode-*"))) == KEPT

    assert harness.bytecode_variables(None) == {}
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    assert harness.bytecode_variables(tmp_path) == {}


async def test_the_server_has_all_migrations_and_the_block_types_of_prefect(prefect_harness) -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_HOME

    migrations = Path(prefect.__file__).parent / "server" / "database" / "_migrations" / "versions" / "sqlite"
    sources = [path.read_text() for path in migrations.glob("*.py")]
    revisions, replaced = (
        {match[1] for source in sources if (match := re.search(rf'^{name} = "(\w+)"', source, re.MULTILINE))}
        for name in ("revision", "down_revision")
    )
    with closing(sqlite3.connect(PREFECT_HOME.value() / "prefect-test.db")) as db:
        assert set(db.execute("SELECT version_num FROM alembic_version")) == {(head,) for head in revisions - replaced}

    async with get_client() as client:
        assert (await client.read_block_type_by_slug("secret")).is_protected
        assert (await client.read_block_type_by_slug("slack-webhook")).name == "Slack Webhook"


def test_a_thread_of_an_older_context_finds_the_server(prefect_harness) -> None:
    import contextvars

    from prefect.context import SettingsContext
    from prefect.settings import PREFECT_API_URL

    seen = contextvars.Context().run(SettingsContext.get)
    assert seen is not None
    assert seen.settings.api.url == PREFECT_API_URL.value()


def test_flows_send_no_heartbeats_to_wait_for(prefect_harness) -> None:
    from prefect.settings import get_current_settings

    assert get_current_settings().flows.heartbeat_frequency is None


@pytest.mark.slow
def test_servers_start_with_no_template_a_good_and_a_bad_one(tmp_path) -> None:
    from prefect import flow

    @flow
    def hello() -> str:
        return "hello"

    template = Template(tmp_path / "cache")

    def serve(name: str) -> None:
        home = tmp_path / name
        home.mkdir()
        with temporary_server(home, tmp_path / "cache"):
            assert hello() == "hello"
        assert list(home.glob("*.db*")) == []

    serve("first")
    built = template.path.stat().st_ino
    serve("second")
    assert template.path.stat().st_ino == built

    with closing(sqlite3.connect(template.path)) as db:  # of a version that is not this one
        db.execute("UPDATE alembic_version SET version_num = 'from the future'")
        db.commit()
    serve("third")
    assert not template.path.exists()
