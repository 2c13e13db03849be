"""A temporary Prefect server that starts fast.

Prefect's own `prefect_test_harness` imports the whole server into the process of the tests, and its server migrates an
empty database at every start. Here only the server's process imports it, and the database is migrated once for each
version of Prefect: a template of it stays in the user's cache, and later servers start with a copy. Where no template
can be had, a server starts with an empty database, as Prefect's own does.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Generator
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import certifi
import prefect
import pytest
from prefect import context, settings

from .backends.processes import HOST, LocalServer, ServerError, answers_http, free_port

SERVER_STARTUP_TIMEOUT_SECONDS = 180
"""How long a temporary Prefect server may take to start; a busy machine with several pytest workers is slow."""

KEPT = 3
"""How many templates, and how many folders of bytecode, stay in a cache; the least lately used go."""


def cache_folder() -> Path | None:
    """Name the folder that outlives a run, in the user's own cache; a user without a home has none."""
    with contextlib.suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prefect-integration-tests"
    return None


@contextlib.contextmanager
def temporary_server(home: Path, cache: Path | None) -> Generator[None, None, None]:
    """Run a Prefect server with a fresh database, and have everything in this process use it.

    The server knows the block types that come with Prefect; others are registered when a block is first saved.

    Args:
        home: An empty folder, which becomes `PREFECT_HOME`. The server writes its log to `server.log` in it.
        cache: Folder for what later servers start with, see `cache_folder`; `None` for nothing.

    Raises:
        ServerError: If the server does not start. The message holds the tail of its log.
    """
    database = home / "prefect-test.db"
    updates: dict[Any, Any] = {
        settings.PREFECT_HOME: home,
        settings.PREFECT_LOCAL_STORAGE_PATH: home / "storage",
        settings.PREFECT_SERVER_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{database}",
        settings.PREFECT_SERVER_ANALYTICS_ENABLED: False,
        settings.PREFECT_SERVER_LOGGING_LEVEL: "CRITICAL",
        settings.PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore",
        # At its end a sync flow waits for the thread that sends them, which sleeps for a whole second at a time.
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        # Each of Prefect's clients reads the authorities that it trusts, even to speak plain HTTP: 20 ms for all.
        settings.PREFECT_API_SSL_CERT_FILE: str(_one_authority(home)),
    }
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, database)
        stack.enter_context(settings.temporary_settings(updates))
        if sys.platform == "win32":  # `LocalServer` needs process groups
            from prefect.testing.utilities import prefect_test_harness

            stack.enter_context(prefect_test_harness(server_startup_timeout=SERVER_STARTUP_TIMEOUT_SECONDS))
            yield
            return
        server = stack.enter_context(_start(database, cache))
        stack.enter_context(settings.temporary_settings({settings.PREFECT_API_URL: server.api_url}))
        # A thread or an event loop whose context is older than these settings finds them here.
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(context, "GLOBAL_SETTINGS_CONTEXT", context.get_settings_context())
        stack.callback(_drain)
        yield


def _one_authority(home: Path) -> Path:
    """Write a file of authorities with the first of those that are trusted everywhere, and name it."""
    end = "-----END CERTIFICATE-----\n"
    file = home / "authorities.pem"
    file.write_text(Path(certifi.where()).read_text("ascii").partition(end)[0] + end, "ascii")
    return file


class _PrefectServer(LocalServer):
    """Prefect's server as its test harness starts it, on the database that the settings name."""

    def __init__(self, home: Path, cache: Path | None, *, is_migrated: bool) -> None:
        port = free_port()
        self.api_url = f"http://{HOST}:{port}/api"
        folder = str(Path(prefect.__file__).parent.parent)
        app = ["--app-dir", folder, "--factory", "prefect.server.api.server:create_app", "--lifespan", "on"]
        super().__init__(
            [sys.executable, "-m", "uvicorn", *app, "--host", HOST, "--port", str(port), "--log-level", "error"],
            lambda: answers_http(f"{self.api_url}/health"),
            name="Prefect server",
            env={
                "PREFECT__SERVER_EPHEMERAL": "1",
                "PREFECT__SERVER_FINAL": "1",
                "PREFECT_UI_ENABLED": "0",
                **settings.get_current_settings().to_environment_variables(exclude_unset=True),
                # It has the server register the blocks of every installed package, which are not for the template.
                "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "0",
                "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "0" if is_migrated else "1",
                **bytecode_variables(cache),
            },
            log_path=home / "server.log",
            start_timeout_seconds=SERVER_STARTUP_TIMEOUT_SECONDS,
            stop_signal=signal.SIGKILL,  # its data are thrown away
        )


def _start(database: Path, cache: Path | None) -> _PrefectServer:
    """Start a server on a database that does not exist yet: on a copy of the template if that can be had."""
    template = Template(cache) if cache is not None else None
    if template is not None and not template.copy_to(database):
        with template.building() as is_mine:
            # Another process may have built it while this one waited.
            if not template.copy_to(database):
                server = _PrefectServer(database.parent, cache, is_migrated=False).start()
                if is_mine:
                    template.save(database)
                return server
    if template is not None:
        try:
            return _PrefectServer(database.parent, cache, is_migrated=True).start()
        except ServerError:
            template.discard()
            _remove(database)
    return _PrefectServer(database.parent, cache, is_migrated=False).start()


class Template:
    """The migrated database of a version of Prefect, in a file that is there as a whole or not at all.

    No method raises when the cache cannot be used: then there is no template.
    """

    def __init__(self, cache: Path) -> None:
        """Describe the template; nothing is read or written."""
        self._cache = cache
        self.path = cache / f"prefect-{prefect.__version__}.db"

    def copy_to(self, database: Path) -> bool:
        """Copy the template, and say whether there was a sound one."""
        try:
            shutil.copyfile(self.path, database)
            with contextlib.closing(sqlite3.connect(database)) as copy:
                is_sound = copy.execute("PRAGMA quick_check").fetchall() == [("ok",)]
                is_migrated = bool(copy.execute("SELECT version_num FROM alembic_version").fetchall())
            os.utime(self.path)
        except (OSError, sqlite3.Error):
            is_sound = is_migrated = False
        if not (is_sound and is_migrated):
            _remove(database)
        return is_sound and is_migrated

    @contextlib.contextmanager
    def building(self) -> Generator[bool, None, None]:
        """Wait until no other process builds a template; say whether this one may."""
        with contextlib.ExitStack() as stack:
            try:
                import fcntl

                self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = stack.enter_context((self._cache / "lock").open("wb"))
                fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, however that happens
            except (ImportError, OSError):
                yield False
            else:
                yield True

    def save(self, database: Path) -> None:
        """Make a template of a server's database, which is in use. Only the process that is `building` may."""
        draft = self._cache / "draft.db"
        try:
            _remove(draft)
            with (
                contextlib.closing(sqlite3.connect(database)) as source,
                contextlib.closing(sqlite3.connect(draft)) as target,
            ):
                source.backup(target)
            draft.replace(self.path)
            _keep_latest(self._cache, "prefect-*.db")
        except (OSError, sqlite3.Error):
            return

    def discard(self) -> None:
        """Remove the template: no server starts with it."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def bytecode_variables(cache: Path | None) -> dict[str, str]:
    """Name the variables with which a server keeps bytecode in the cache, where it may keep none beside its sources.

    Images of containers often forbid that, and then half of the server's start is compiling two thousand modules.
    """
    source = Path(prefect.__file__).parent / "server" / "api" / "server.py"
    if cache is None or not sys.dont_write_bytecode or Path(cache_from_source(str(source))).exists():
        return {}
    place = hashlib.sha256(f"{sys.prefix} {sys.implementation.cache_tag}".encode()).hexdigest()[:16]
    folder = cache / f"bytecode-{place}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        _keep_latest(cache, "bytecode-*")
    except OSError:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder)}


def _keep_latest(folder: Path, pattern: str) -> None:
    by_age = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
    for path in by_age[:-KEPT]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove(database: Path) -> None:
    """Remove an SQLite database with the files that it keeps beside itself."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _drain() -> None:
    """Send the logs and events that still wait, so that none of them meets a server that is gone."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def drain() -> None:
        for drained in (APILogWorker.drain_all(), EventsWorker.drain_all()):
            if inspect.isawaitable(drained):
                await drained

    run_coro_as_sync(drain())
