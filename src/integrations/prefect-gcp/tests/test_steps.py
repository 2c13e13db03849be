"""The deployment steps: their conformance suite, and who logs in with what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_gcp import GcpCredentials
from prefect_gcp.deployments import steps
from prefect_gcp.errors import GcpAccessDenied, GcpBucketNotFound, GcpCredentialsError
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_tests.suites import StepSuite


class Behind:
    """A bucket by whole keys, without the code under test."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        self.name = bucket.name

    def put(self, key: str, content: bytes) -> None:
        self._bucket.blob(key).upload_from_string(content)

    def get(self, key: str) -> bytes:
        return self._bucket.blob(key).download_as_bytes()

    def keys(self) -> list[str]:
        return [blob.name for blob in self._bucket.list_blobs()]


@pytest.fixture
def behind(gcs_server: Any, gcs_bucket_name: str) -> Behind:
    return Behind(gcs_server.client().bucket(gcs_bucket_name))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "flow.py").write_text("print('hello')")
    (folder / "sub" / "data.txt").write_text("1")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def login(gcs_server: Any) -> dict[str, Any]:
    """Fields of a credentials block that reach the store."""
    return {"project": gcs_server.project, "api_endpoints": {"storage": gcs_server.endpoint}}


class TestSteps(StepSuite):
    @pytest.fixture
    def raw(self, gcs_server: Any, behind: Behind, monkeypatch: pytest.MonkeyPatch) -> Behind:
        self.bucket = behind.name
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.endpoint)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", gcs_server.project)
        return behind

    def _step(self, name: str, folder: str) -> dict[str, dict[str, Any]]:
        return {f"prefect_gcp.deployments.steps.{name}": {"bucket": self.bucket, "folder": folder}}

    def push_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("push_to_gcs", folder)

    def pull_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("pull_from_gcs", folder)


def test_steps_return_what_later_steps_need(
    behind: Behind, login: dict[str, Any], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps.push_to_gcs(behind.name, "app", credentials=login) == {"bucket": behind.name, "folder": "app"}
    assert sorted(behind.keys()) == ["app/flow.py", "app/sub/data.txt"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    pulled = steps.pull_from_gcs(behind.name, "app", credentials=login)
    assert pulled == {"bucket": behind.name, "folder": "app", "directory": str(tmp_path / "elsewhere")}
    assert Path("sub/data.txt").read_text() == "1"


@pytest.mark.parametrize("login_by", ["info", "info as text", "file", "block", "with empty fields"])
def test_each_way_to_log_in_works(
    behind: Behind,
    login: dict[str, Any],
    google_identity: Any,
    gcs_front: Any,
    project: Path,
    tmp_path: Path,
    login_by: str,
) -> None:
    info = google_identity.service_account_info(project="test-project")
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps(info))
    where = {"api_endpoints": {"storage": gcs_front.endpoint}}
    credentials: Any = {
        "info": {**where, "service_account_info": info},
        "info as text": {**where, "service_account_info": json.dumps(info)},
        "file": {**where, "service_account_file": str(key_file)},
        "block": GcpCredentials(service_account_info=info, **where),
        "with empty fields": {**where, "service_account_info": info, "service_account_file": None, "project": None},
    }[login_by]
    gcs_front.check_token = lambda token: google_identity.check(token) == info["client_email"]
    steps.push_to_gcs(behind.name, "app", "test-project", credentials)
    (project / "flow.py").unlink()
    steps.pull_from_gcs(behind.name, "app", "test-project", credentials)
    assert (project / "flow.py").exists()
    assert gcs_front.seen("upload")


@pytest.mark.usefixtures("prefect_harness")
async def test_credentials_come_from_a_saved_block(behind: Behind, login: dict[str, Any], project: Path) -> None:
    from prefect.deployments.steps.core import run_steps

    await GcpCredentials(**login).save("steps-credentials", overwrite=True)
    written = f"""
    push:
      - prefect_gcp.deployments.steps.push_to_gcs:
          id: push-code
          requires: prefect-gcp
          bucket: {behind.name}
          folder: my-project
          credentials: "{{{{ prefect.blocks.gcp-credentials.steps-credentials }}}}"
    pull:
      - prefect_gcp.deployments.steps.pull_from_gcs:
          requires: prefect-gcp
          bucket: "{{{{ push-code.bucket }}}}"
          folder: "{{{{ push-code.folder }}}}"
          credentials: "{{{{ prefect.blocks.gcp-credentials.steps-credentials }}}}"
    """
    sections = yaml.safe_load(written)
    outputs = await run_steps([*sections["push"], *sections["pull"]], print_function=lambda *_, **__: None)
    assert outputs["directory"] == str(project)
    assert sorted(behind.keys()) == ["my-project/flow.py", "my-project/sub/data.txt"]


def test_the_ignore_file_is_optional_but_honoured(behind: Behind, login: dict[str, Any], project: Path) -> None:
    (project / ".prefectignore").write_text("sub/\n.prefectignore\n")
    (project / "others").write_text("flow.py\n")
    for folder, options in {
        "default": {},
        "none": {"ignore_file": None},
        "absent": {"ignore_file": "absent"},
        "others": {"ignore_file": "others"},
    }.items():
        steps.push_to_gcs(behind.name, folder, credentials=login, **options)
    kept = {
        folder: sorted(key.partition("/")[2] for key in behind.keys() if key.startswith(f"{folder}/"))  # noqa: SIM118
        for folder in ("default", "none", "absent", "others")
    }
    everything = [".prefectignore", "flow.py", "others", "sub/data.txt"]
    assert kept["default"] == ["flow.py", "others"]
    assert kept["none"] == kept["absent"] == everything
    assert kept["others"] == [".prefectignore", "others", "sub/data.txt"]


@pytest.mark.parametrize("folder", ["", "app", "app/", "a/b"])
def test_a_folder_with_or_without_slashes_is_pushed_and_pulled_without_its_siblings(
    behind: Behind, login: dict[str, Any], project: Path, folder: str
) -> None:
    behind.put("app2/sibling", b"")
    behind.put("app-2/sibling", b"")
    steps.push_to_gcs(behind.name, folder, credentials=login)
    (project / "flow.py").unlink()
    steps.pull_from_gcs(behind.name, folder, credentials=login)
    assert (project / "flow.py").exists()
    assert not list(project.rglob("sibling")) or folder == ""


@pytest.mark.parametrize("key", ["app/../../evil.txt", "app//etc/evil.txt", "app/sub/../../../evil.txt"])
def test_no_key_is_written_outside_the_working_directory(
    behind: Behind, login: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    behind.put(key, b"evil")
    with pytest.raises(PathEscapes, match=r"evil\.txt"):
        steps.pull_from_gcs(behind.name, "app", credentials=login)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_failures_are_typed_and_named(behind: Behind, login: dict[str, Any], gcs_front: Any, project: Path) -> None:
    gcs_front.fail("*", status=403, times=None)
    denied = {**login, "api_endpoints": {"storage": gcs_front.endpoint}}
    for step in (steps.push_to_gcs, steps.pull_from_gcs):
        with pytest.raises(GcpBucketNotFound, match="absent-bucket"):
            step("absent-bucket", "app", credentials=login)
        with pytest.raises(GcpAccessDenied, match=behind.name):
            step(behind.name, "app", credentials=denied)
        with pytest.raises(ValueError, match="Bucket name 'gs://shop-flows' is not valid"):
            step("gs://shop-flows", "app", credentials=login)
        with pytest.raises((GcpCredentialsError, ValueError), match="service_account_info"):
            step(behind.name, "app", credentials={**login, "service_account_info": {"type": "service_account"}})
