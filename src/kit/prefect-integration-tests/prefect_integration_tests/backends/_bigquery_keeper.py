"""The process that keeps a BigQuery emulator for others, and ends when nobody uses it any more.

Run as `python -m prefect_integration_tests.backends._bigquery_keeper FOLDER LOCK`, see `_sharing`.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ._sharing import READY
from .processes import HOST, free_port

PORTS = "ports.json"
OBJECTS = "objects"
PROJECT = "test-project"

_JOB_ID = "_jobId"
_ANONYMOUS = re.compile(r'("[^"]*bqemu_anonymous"\."anon(\w+)")')


def _mend() -> None:
    """Let the emulator start without the network, and take what the SDK sends."""
    from bqemulator.api.routes import upload
    from bqemulator.storage.engine import DuckDBEngine

    def load_nothing(engine: Any) -> None:
        """Only GEOGRAPHY needs the extension, which would be downloaded."""

    setattr(DuckDBEngine, "_load_spatial", load_nothing)  # noqa: B010 - it is private
    _keep_job_ids_of_uploads(upload)
    _stream_results(DuckDBEngine)

    name = "_is_permitted_media_type"
    is_permitted = getattr(upload, name)

    def is_permitted_here(content_type: str) -> bool:
        # google-cloud-bigquery labels the content of multipart uploads so.
        return content_type == "*/*" or is_permitted(content_type)

    setattr(upload, name, is_permitted_here)


def _stream_results(engine: Any) -> None:
    """Let the Storage Read API find the result of a query: the emulator names a table for it, and makes none."""
    from bqemulator.jobs import executor

    results: dict[str, Any] = vars(executor)["JOB_RESULTS"]
    fetch = engine.fetch_arrow

    def fetch_result(self: Any, sql: str, parameters: list[Any] | None = None) -> Any:
        for place, name in _ANONYMOUS.findall(sql):
            result = next((table for job_id, table in results.items() if job_id.replace("-", "") == name), None)
            if result is not None:
                self.connection.register(f"result_{name}", result)
                sql = sql.replace(place, f'"result_{name}"')
        return fetch(self, sql, parameters)

    engine.fetch_arrow = fetch_result


def _keep_job_ids_of_uploads(routes: Any) -> None:
    """Let a load job have the ID that the client asks for, as BigQuery does; the emulator makes one of its own."""
    wanted: ContextVar[str | None] = ContextVar("wanted", default=None)
    reader, runner, namer = "_load_configuration_from_envelope", "_run_load", "_new_job_id"
    read, run, new_id = getattr(routes, reader), getattr(routes, runner), getattr(routes, namer)

    def read_with_id(envelope: dict[str, Any]) -> dict[str, Any]:
        return {**read(envelope), _JOB_ID: envelope.get("jobReference", {}).get("jobId")}

    async def run_with_id(*, configuration: dict[str, Any], **arguments: Any) -> Any:
        wanted.set(configuration.get(_JOB_ID))
        kept = {name: value for name, value in configuration.items() if name != _JOB_ID}
        return await run(configuration=kept, **arguments)

    setattr(routes, reader, read_with_id)
    setattr(routes, runner, run_with_id)
    setattr(routes, namer, lambda: wanted.get() or new_id())


async def _serve(folder: Path) -> None:
    from bqemulator.config import LogLevel, Settings
    from bqemulator.server import EmulatorServer

    objects = folder / OBJECTS
    objects.mkdir()
    settings = Settings(
        rest_host=HOST,
        rest_port=free_port(),
        grpc_host=HOST,
        grpc_port=free_port(),
        default_project_id=PROJECT,
        gcs_local_root=objects,
        upload_staging_dir=folder / "uploads",
        enable_format_extensions=False,  # they would be downloaded
        log_level=LogLevel.WARNING,
    )
    server = EmulatorServer(settings)
    await server.start()
    ports = {"rest": server.rest_port, "grpc": server.grpc_port}
    (folder / PORTS).write_text(json.dumps(ports), encoding="utf-8")
    (folder / READY).touch()
    await asyncio.Event().wait()


def _end_after_the_last_user(folder: Path, lock: Path) -> None:
    with lock.open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        _end(folder)


def _end(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # its data are thrown away; an orderly end takes seconds


def _main(folder: Path, lock: Path) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: _end(folder))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the users, who give the lock back
    threading.Thread(target=_end_after_the_last_user, args=(folder, lock), daemon=True).start()
    _mend()
    asyncio.run(_serve(folder))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
