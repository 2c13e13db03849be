"""Artifacts of other runs: fetched from any storage, never half of one and half of another."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.filesystems import LocalFileSystem, WritableFileSystem

from prefect_dbt.core import state as state_module
from prefect_dbt.core.state import DbtState, aupload_artifacts, check_manifest, fetch_state, upload_artifacts
from prefect_dbt.errors import DbtManifestError, DbtStateError
from prefect_integration_tests.clock import FakeClock

METADATA = {
    "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
    "dbt_version": "1.8.99",
    "generated_at": "2026-01-01T10:00:00.123456Z",
    "invocation_id": "11111111-2222-3333-4444-555555555555",
}


class MemoryFileSystem(WritableFileSystem):
    """A file system with nothing but the two async methods, such as some stores have."""

    _files: dict[str, bytes] = {}  # noqa: RUF012 - a private attribute of pydantic, copied for each block
    _after_write: Any = None

    async def read_path(self, path: str) -> bytes:
        return self._files[path]

    async def write_path(self, path: str, content: bytes) -> None:
        self._files[path] = content
        if self._after_write:
            self._after_write(path)


def write_target(folder: Path, run: str = "first", *, results: bool = True, **metadata: Any) -> Path:
    """Write the artifacts of a run; each says of which one it is."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"metadata": {**METADATA, "invocation_id": run, **metadata}, "nodes": {}, "run": run}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if results:
        (folder / "run_results.json").write_text(json.dumps({"metadata": {}, "results": [], "run": run}))
    return folder


def runs_in(folder: Path) -> dict[str, str]:
    """The run that each file is of."""
    return {path.name: json.loads(path.read_text())["run"] for path in folder.iterdir()}


@pytest.fixture(params=["folder", "text", "file-url", "local", "slug", "remote", "async-only", "gcs"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An empty storage of each kind."""
    folder = tmp_path / "storage"
    if request.param == "folder":
        return folder
    if request.param == "text":
        return str(folder)
    if request.param == "file-url":
        return f"file://{folder}"
    if request.param == "local":
        return LocalFileSystem(basepath=str(folder))
    if request.param == "remote":
        return f"memory://{uuid4().hex}"
    if request.param == "async-only":
        return MemoryFileSystem()
    if request.param == "slug":
        request.getfixturevalue("prefect_harness")
        name = f"state-{uuid4().hex}"
        LocalFileSystem(basepath=str(folder)).save(name)
        return f"local-file-system/{name}"
    from prefect_gcp import GcpCredentials
    from prefect_gcp.cloud_storage import GcsBucket

    bucket, server = request.getfixturevalue("gcs_bucket_name"), request.getfixturevalue("gcs_server")
    request.getfixturevalue("monkeypatch").setenv("STORAGE_EMULATOR_HOST", server.endpoint)
    credentials = GcpCredentials(project=server.project, api_endpoints={"storage": server.endpoint})
    return GcsBucket(bucket=bucket, bucket_folder="dbt", gcp_credentials=credentials)


@pytest.mark.parametrize("per_run", [False, True], ids=["one-folder", "folder-per-run"])
def test_what_is_stored_is_fetched(storage: Any, per_run: bool, tmp_path: Path) -> None:
    target = write_target(tmp_path / "target")
    (target / "catalog.json").write_text("{}")
    into = upload_artifacts(target, storage, "prod", per_run=per_run)
    assert into == ("prod/runs/20260101T100000-first" if per_run else "prod")
    with fetch_state(storage, "prod") as folder:
        assert runs_in(folder) == {"manifest.json": "first", "run_results.json": "first"}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


@pytest.mark.parametrize("is_async", [False, True], ids=["sync-flow", "async-flow"])
def test_storing_and_fetching_work_within_flows(is_async: bool, tmp_path: Path, prefect_harness: None) -> None:
    import asyncio

    target, storage = write_target(tmp_path / "target"), LocalFileSystem(basepath=str(tmp_path / "storage"))

    @flow(name="state-sync")
    def in_sync_flow() -> dict[str, str]:
        upload_artifacts(target, storage)
        with fetch_state(storage) as folder:
            return runs_in(folder)

    @flow(name="state-async")
    async def in_async_flow() -> dict[str, str]:
        await aupload_artifacts(target, storage)
        with fetch_state(storage) as folder:
            return runs_in(folder)

    found = asyncio.run(in_async_flow()) if is_async else in_sync_flow()
    assert found == {"manifest.json": "first", "run_results.json": "first"}


def test_artifacts_that_another_tool_stored_are_taken_as_they_are(tmp_path: Path) -> None:
    write_target(tmp_path / "plain", results=False)
    with fetch_state(tmp_path / "plain") as folder:
        assert runs_in(folder) == {"manifest.json": "first"}


def test_a_folder_for_each_run_keeps_the_earlier_ones(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    for run in ("first", "second"):
        upload_artifacts(write_target(tmp_path / run, run), storage, per_run=True)
    assert len(list((storage / "runs").iterdir())) == 2
    with fetch_state(storage) as folder:
        assert set(runs_in(folder).values()) == {"second"}


def test_a_run_that_is_not_the_latest_is_stored_and_not_compared_with(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    upload_artifacts(write_target(tmp_path / "good", "good"), storage, per_run=True)
    into = upload_artifacts(write_target(tmp_path / "bad", "bad"), storage, per_run=True, is_latest=False)
    assert (storage / into / "manifest.json").exists()
    with fetch_state(storage) as folder:
        assert set(runs_in(folder).values()) == {"good"}
    with pytest.raises(DbtStateError, match="per_run=True"):
        upload_artifacts(tmp_path / "bad", storage, is_latest=False)


@pytest.mark.parametrize("per_run", [False, True], ids=["one-folder", "folder-per-run"])
def test_nobody_who_fetches_during_an_upload_gets_files_of_two_runs(
    per_run: bool, tmp_path: Path, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    storage = MemoryFileSystem()
    upload_artifacts(write_target(tmp_path / "first", "first"), storage, per_run=per_run)
    seen: list[dict[str, str]] = []

    def fetch(_: str) -> None:
        with fetch_state(storage, clock=fake_clock) as folder:
            seen.append(runs_in(folder))

    storage._after_write = fetch
    upload_artifacts(write_target(tmp_path / "second", "second"), storage, per_run=per_run)
    whole = [{"manifest.json": run, "run_results.json": run} for run in ("first", "second")]
    assert seen[-1] == whole[1]
    assert len(seen) == 3
    if per_run:
        assert seen[:-1] == [whole[0], whole[0]]
    else:  # it waits, and then goes without what may not belong to the manifest
        assert seen[:-1] == [{"manifest.json": "first"}, {"manifest.json": "second"}]
        assert "only the manifest is used" in caplog.text


def test_an_upload_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    storage = MemoryFileSystem()
    upload_artifacts(write_target(tmp_path / "first", "first"), storage)
    before = dict(storage._files)
    upload_artifacts(write_target(tmp_path / "second", "second"), storage)
    after = dict(storage._files)
    storage._files.update(before, **{"run_results.json": after["run_results.json"]})  # as if cut short

    class Clock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            storage._files.update(after)

    with fetch_state(storage, clock=Clock()) as folder:
        assert runs_in(folder) == {"manifest.json": "second", "run_results.json": "second"}


def test_files_of_an_earlier_run_are_left_out(tmp_path: Path) -> None:
    target = write_target(tmp_path / "target")
    os.utime(target / "run_results.json", (1, 1))
    upload_artifacts(target, tmp_path / "storage", since=time.time() - 60)
    assert not (tmp_path / "storage" / "run_results.json").exists()
    with fetch_state(tmp_path / "storage") as folder:
        assert set(runs_in(folder)) == {"manifest.json"}


def test_a_later_run_without_results_keeps_those_that_are_stored(tmp_path: Path) -> None:
    upload_artifacts(write_target(tmp_path / "run", "run"), tmp_path / "storage")
    upload_artifacts(write_target(tmp_path / "parse", "parse", results=False), tmp_path / "storage")
    with fetch_state(tmp_path / "storage") as folder:
        assert runs_in(folder) == {"manifest.json": "parse", "run_results.json": "run"}


def test_a_file_that_dbt_did_not_finish_is_not_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = write_target(tmp_path / "target")
    (target / "run_results.json").write_text('{"results": [')
    upload_artifacts(target, tmp_path / "storage")
    assert not (tmp_path / "storage" / "run_results.json").exists()
    assert "not whole" in caplog.text


def test_a_target_without_a_manifest_stores_nothing(tmp_path: Path) -> None:
    with pytest.raises(DbtStateError, match="no manifest in"):
        upload_artifacts(tmp_path, tmp_path / "storage")
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (
            {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v13.json", "dbt_version": "2.3.4"},
            [
                r"written by dbt 2\.3\.4 \(schema version 13\)",
                r"reads versions 4 to 12",
                r"Install dbt-core 2\.3 or later",
            ],
        ),
        (
            {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v2.json", "dbt_version": "0.20.1"},
            [r"written by dbt 0\.20\.1 \(schema version 2\)", r"Make the state anew"],
        ),
        (
            {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v99.json", "dbt_version": None},
            ["another version of dbt"],
        ),
        ({"dbt_schema_version": None}, ["none of dbt's"]),
    ],
    ids=["newer", "older", "unnamed", "no-schema"],
)
def test_a_manifest_of_another_dbt_names_both_versions_and_the_remedy(
    metadata: dict[str, Any], says: list[str], tmp_path: Path
) -> None:
    from importlib.metadata import version

    write_target(tmp_path / "state", **metadata)
    with pytest.raises(DbtManifestError) as caught, fetch_state(tmp_path / "state"):
        pass
    for text in says:
        assert caught.match(text)
    if metadata["dbt_schema_version"]:
        assert f"dbt {version('dbt-core')} is installed" in str(caught.value)
    assert str(tmp_path / "state") in str(caught.value)


def test_the_versions_that_the_installed_dbt_reads_are_those_it_says() -> None:
    from dbt.artifacts.schemas.manifest import WritableManifest

    oldest, newest = state_module._readable_schemas()
    assert newest == WritableManifest.dbt_schema_version.version
    assert oldest == min(number for _, number in WritableManifest.compatible_previous_versions())


def test_another_release_with_the_same_schema_is_told_and_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_target(tmp_path / "state")
    with caplog.at_level(logging.INFO), fetch_state(tmp_path / "state") as folder:
        assert check_manifest(folder / "manifest.json") == "1.8.99"
    assert "was written by dbt 1.8.99" in caplog.text


@pytest.mark.parametrize("content", ["", "[]", '{"metadata": {', "<Error>AccessDenied</Error>"], ids=range(4))
def test_a_damaged_manifest_is_refused(content: str, tmp_path: Path) -> None:
    write_target(tmp_path / "state")
    (tmp_path / "state" / "manifest.json").write_text(content)
    with pytest.raises(DbtManifestError, match="not whole"), fetch_state(tmp_path / "state"):
        pass


def test_a_storage_without_a_manifest_says_what_is_missing(storage: Any) -> None:
    with (
        pytest.raises(DbtStateError, match=r"no manifest\.json to compare with in .*prod"),
        fetch_state(storage, "prod"),
    ):
        pass


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "empty text"),
        ("s3-bucket/no-such-block", "neither a folder nor a saved block"),
        (object(), "object is not a file system"),
    ],
    ids=["empty", "no-block", "no-file-system"],
)
def test_what_is_no_storage_is_refused(bad: Any, says: str, prefect_harness: None) -> None:
    with pytest.raises(DbtStateError, match=says), fetch_state(bad):
        pass


def test_a_storage_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DbtStateError, match=r"run_results\.json cannot be stored in .*file"):
        upload_artifacts(write_target(tmp_path / "target"), tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set()),
        ({"defer": True}, {"defer"}),
        ({"favor_state": True}, {"defer", "favor_state"}),
    ],
    ids=["compare", "defer", "favor"],
)
def test_a_state_gives_the_options_that_dbt_needs(options: dict[str, bool], expected: set[str], tmp_path: Path) -> None:
    write_target(tmp_path / "storage" / "prod")
    made: list[Callable[[], DbtState]] = [
        lambda: DbtState(tmp_path / "storage", "prod", **options),
        lambda: DbtState.of(DbtState(tmp_path / "storage", "prod"), **options),
    ]
    for make in made:
        with make().options() as given:
            assert set(given) - {"state"} == expected
            assert (Path(given["state"]) / "manifest.json").exists()


def test_a_state_can_be_uploaded_to(tmp_path: Path) -> None:
    state = DbtState(tmp_path / "storage", "prod")
    assert upload_artifacts(write_target(tmp_path / "target"), state) == "prod"
    with state.options() as given:
        assert set(runs_in(Path(given["state"])).values()) == {"first"}
