"""Credentials that reach the local backends, and a flow run to call tasks in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.credentials import AwsCredentials
from prefect_aws.s3 import S3Bucket


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the developer's own AWS configuration."""
    for name in os.environ:
        if name.startswith(("AWS_", "BOTO")):
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.getbasetemp() / "no-aws-files"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def make_credentials() -> Callable[..., AwsCredentials]:
    """A maker of credentials for an endpoint; keywords are further fields of the block."""

    def make(endpoint_url: str | None = None, **fields: Any) -> AwsCredentials:
        config = fields.pop("config", None)
        defaults: dict[str, Any] = {
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing-secret",
            "region_name": "us-east-1",
            "aws_client_parameters": AwsClientParameters(
                endpoint_url=endpoint_url,
                config={"retries": {"total_max_attempts": 1}, "connect_timeout": 5, **(config or {})},
            ),
        }
        return AwsCredentials(**{**defaults, **fields})

    return make


@pytest.fixture
def aws_credentials(aws_emulator: Any, make_credentials: Callable[..., AwsCredentials]) -> AwsCredentials:
    """Credentials for the emulator."""
    return make_credentials(aws_emulator.endpoint_url)


# S3: a real store, two engines


@dataclass(frozen=True)
class Behind:
    """The store behind a block, by whole keys."""

    client: Any
    bucket: str

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=dict(metadata or {}))

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def metadata(self, key: str) -> dict[str, str]:
        return self.client.head_object(Bucket=self.bucket, Key=key)["Metadata"]


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of folder transfers; a test that uses it runs once for each."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER", str(request.param == "native"))
    return request.param


@pytest.fixture
def s3_credentials(s3_server: Any, make_credentials: Callable[..., AwsCredentials]) -> AwsCredentials:
    """Credentials for the real store."""
    return make_credentials(s3_server.endpoint_url, aws_secret_access_key=s3_server.secret_key)


@pytest.fixture
def bucket(s3_credentials: AwsCredentials, s3_bucket_name: str) -> S3Bucket:
    """A block on an empty bucket of the real store, with a folder."""
    return S3Bucket(bucket_name=s3_bucket_name, bucket_folder="base", credentials=s3_credentials)


@pytest.fixture(scope="session")
def s3_client(s3_server: Any) -> Any:
    """A plain client of the real store."""
    return s3_server.client()


@pytest.fixture
def behind(s3_client: Any, s3_bucket_name: str) -> Behind:
    """The same bucket, without the block."""
    return Behind(s3_client, s3_bucket_name)


@pytest.fixture(scope="session")
def emulated_client(aws_emulator: Any) -> Any:
    """A plain S3 client of the emulator."""
    return aws_emulator.client("s3")


@pytest.fixture
def emulated_bucket(emulated_client: Any, aws_credentials: AwsCredentials) -> S3Bucket:
    """A block on an empty bucket of the emulator, with a folder."""
    name = f"test-{uuid.uuid4().hex}"
    emulated_client.create_bucket(Bucket=name)
    return S3Bucket(bucket_name=name, bucket_folder="base", credentials=aws_credentials)


@pytest.fixture
def behind_emulated(emulated_client: Any, emulated_bucket: S3Bucket) -> Behind:
    """The same bucket, without the block."""
    return Behind(emulated_client, emulated_bucket.bucket_name)


# ECS


@pytest.fixture
def make_configuration() -> Callable[..., Any]:
    """A maker of job configurations of the ECS worker from a new work pool's template; keywords are job variables."""
    from prefect.utilities.templating import apply_values

    from prefect_aws.workers import ECSWorker

    template = ECSWorker.get_default_base_job_template()
    properties: dict[str, Any] = template["variables"]["properties"]
    defaults = {name: field["default"] for name, field in properties.items() if field.get("default") is not None}

    def make(*, credentials: AwsCredentials | None = None, **variables: Any) -> Any:
        unknown = set(variables) - set(properties)
        assert not unknown, f"no job variables: {unknown}"
        filled: Any = apply_values(template["job_configuration"], {**defaults, **variables})
        configuration = ECSWorker.job_configuration(**filled)
        if credentials is not None:
            configuration.aws_credentials = credentials
        return configuration

    return make
