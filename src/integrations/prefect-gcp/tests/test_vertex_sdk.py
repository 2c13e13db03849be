"""Vertex AI's SDK is loaded in the part that the worker needs, and is whole for everybody else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_PART = """
import json, sys
from prefect_gcp._vertex.sdk import load_job_service
load_job_service()
from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient
loaded = [name for name in sys.modules if name.startswith("google.cloud.aiplatform_v1.services.")]
services = sorted({name.split(".")[4] for name in loaded})
"""
_WHOLE = """
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1 import PipelineServiceClient, types
from google.cloud.aiplatform_v1.types import CustomJob, Model
from google.cloud.aiplatform_v1.types.custom_job import CustomJob as same
assert aiplatform_v1.JobServiceAsyncClient is JobServiceAsyncClient
assert types.CustomJob is CustomJob is same
assert "Model" in types.__all__
"""


def _run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_the_job_service_is_loaded() -> None:
    assert json.loads(_run(f"{_PART}print(json.dumps(services))")) == ["job_service"]


def test_a_client_of_the_credentials_loads_no_other_service() -> None:
    """Nor does one that is asked for by its name."""
    ask = """
import json, sys
from prefect_gcp import GcpCredentials
credentials = GcpCredentials(project="p", api_endpoints={"aiplatform": "http://127.0.0.1:9"})
assert credentials.get_client("job_service") is credentials.get_job_service_client()
loaded = [name for name in sys.modules if name.startswith("google.cloud.aiplatform_v1.services.")]
print(json.dumps(sorted({name.split(".")[4] for name in loaded})))
"""
    assert json.loads(_run(ask)) == ["job_service"]


@pytest.mark.slow
def test_who_asks_for_more_finds_the_package_whole() -> None:
    _run(_PART + _WHOLE)


def test_a_missing_sdk_names_the_extra_to_install() -> None:
    hide = "import sys; sys.modules['google.cloud.aiplatform_v1'] = None\n"
    said = _run(
        hide
        + "from prefect_gcp._vertex.sdk import load_job_service\n"
        + "try:\n    load_job_service()\nexcept ImportError as exc:\n    print(exc)\n"
    )
    assert 'pip install "prefect-gcp[aiplatform]"' in said
