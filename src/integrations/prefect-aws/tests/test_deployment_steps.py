"""The deployment steps beyond their conformance suite: who logs in, and with what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_aws import AwsClientParameters, AwsCredentials, MinIOCredentials
from prefect_aws.deployments import steps
from prefect_aws.errors import AwsBucketNotFound, AwsCredentialsRefused
from prefect_aws.s3 import S3Bucket


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "flow.py").write_text("print('hello')")
    (folder / "sub" / "data.txt").write_text("1")
    monkeypatch.chdir(folder)
    return folder


def parameters(server: Any) -> dict[str, Any]:
    return {"endpoint_url": server.endpoint_url, "config": {"retries": {"total_max_attempts": 1}}}


@pytest.fixture
def logins(s3_server: Any, aws_emulator: Any) -> dict[str, dict[str, Any]]:
    """Ways to log in at the real store, which checks signatures."""
    key, secret, region = s3_server.access_key, s3_server.secret_key, s3_server.region
    aws = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": region}
    minio = {"minio_root_user": key, "minio_root_password": secret}
    where = parameters(s3_server)
    return {
        "keys": {"credentials": aws, "client_parameters": where},
        "minio": {"credentials": minio, "client_parameters": where},
        "slug": {"credentials": {**minio, "block_type_slug": "minio-credentials"}, "client_parameters": where},
        "nested": {"credentials": {**aws, "aws_client_parameters": where}},
        "beside": {"credentials": {**aws, **where}},
    }


@pytest.mark.parametrize("login", ["keys", "minio", "slug", "nested", "beside"])
def test_each_way_to_log_in_works(
    login: str, logins: dict[str, Any], bucket: S3Bucket, behind: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bucket.bucket_name
    assert steps.push_to_s3(name, "app", **logins[login]) == {"bucket": name, "folder": "app"}
    assert sorted(behind.keys()) == ["app/flow.py", "app/sub/data.txt"]
    (project.parent / "elsewhere").mkdir()
    monkeypatch.chdir(project.parent / "elsewhere")
    pulled = steps.pull_from_s3(name, "app", **logins[login])
    assert pulled == {"bucket": name, "folder": "app", "directory": str(project.parent / "elsewhere")}
    assert Path("sub/data.txt").read_text() == "1"


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("kind", ["aws-credentials", "minio-credentials"])
async def test_credentials_come_from_a_saved_block(
    kind: str, s3_server: Any, bucket: S3Bucket, behind: Any, project: Path
) -> None:
    from prefect.deployments.steps.core import run_steps

    where = AwsClientParameters(**parameters(s3_server))
    block: Any = (
        AwsCredentials(
            aws_access_key_id=s3_server.access_key,
            aws_secret_access_key=s3_server.secret_key,
            region_name=s3_server.region,
            aws_client_parameters=where,
        )
        if kind == "aws-credentials"
        else MinIOCredentials(
            minio_root_user=s3_server.access_key,
            minio_root_password=s3_server.secret_key,
            aws_client_parameters=where,
        )
    )
    await block.save("dev-credentials", overwrite=True)
    written = f"""
    push:
      - prefect_aws.deployments.steps.push_to_s3:
          id: push-code
          requires: prefect-aws
          bucket: {bucket.bucket_name}
          folder: my-project
          credentials: "{{{{ prefect.blocks.{kind}.dev-credentials }}}}"
    pull:
      - prefect_aws.deployments.steps.pull_from_s3:
          requires: prefect-aws
          bucket: {bucket.bucket_name}
          folder: "{{{{ push-code.folder }}}}"
          credentials: "{{{{ prefect.blocks.{kind}.dev-credentials }}}}"
    """
    sections = yaml.safe_load(written)
    outputs = await run_steps([*sections["push"], *sections["pull"]], print_function=lambda *_, **__: None)
    assert outputs["directory"] == str(project)
    assert sorted(behind.keys()) == ["my-project/flow.py", "my-project/sub/data.txt"]


def test_a_role_is_assumed_when_the_mapping_names_one(
    aws_emulator: Any, emulated_bucket: S3Bucket, behind_emulated: Any, project: Path
) -> None:
    credentials = {
        "aws_access_key_id": "a",
        "aws_secret_access_key": "b",
        "region_name": "us-east-1",
        "assume_role_arn": aws_emulator.new_role(),
        "assume_role_kwargs": {"RoleSessionName": "deploy", "DurationSeconds": 900},
    }
    steps.push_to_s3(emulated_bucket.bucket_name, "app", credentials, {"endpoint_url": aws_emulator.endpoint_url})
    assert len(behind_emulated.keys()) == 2


def test_the_ignore_file_is_optional_but_honoured(
    logins: dict[str, Any], bucket: S3Bucket, behind: Any, project: Path
) -> None:
    name = bucket.bucket_name
    (project / ".prefectignore").write_text("sub/\n.prefectignore\n")
    steps.push_to_s3(name, "default", **logins["keys"])
    steps.push_to_s3(name, "none", **logins["keys"], ignore_file=None)
    steps.push_to_s3(name, "absent", **logins["keys"], ignore_file="absent")
    count = {
        folder: sum(key.startswith(f"{folder}/") for key in list(behind.keys()))
        for folder in ("default", "none", "absent")
    }
    assert count == {"default": 1, "none": 3, "absent": 3}


@pytest.mark.parametrize("folder", ["", "app", "app/", "a/b"])
def test_a_folder_with_or_without_slashes_is_pushed_and_pulled(
    logins: dict[str, Any], bucket: S3Bucket, behind: Any, project: Path, folder: str
) -> None:
    name = bucket.bucket_name
    behind.put("app2/sibling", b"")
    steps.push_to_s3(name, folder, **logins["keys"])
    (project / "flow.py").unlink()
    steps.pull_from_s3(name, folder, **logins["keys"])
    assert (project / "flow.py").exists()
    assert not list(project.rglob("sibling")) or folder == ""


def test_failures_are_typed_and_named(
    logins: dict[str, Any], bucket: S3Bucket, aws_emulator: Any, project: Path
) -> None:
    wrong = {**logins["keys"], "credentials": {**logins["keys"]["credentials"], "aws_secret_access_key": "wrong"}}
    for step in (steps.push_to_s3, steps.pull_from_s3):
        with pytest.raises(AwsBucketNotFound, match="absent-bucket"):
            step("absent-bucket", "app", logins["keys"]["credentials"], parameters(aws_emulator))
        with pytest.raises(AwsCredentialsRefused, match=bucket.bucket_name):
            step(bucket.bucket_name, "app", **wrong)
