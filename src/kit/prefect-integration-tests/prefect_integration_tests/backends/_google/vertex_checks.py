"""What Vertex AI refuses of a custom job.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KEY = re.compile(r"[^\W\d_A-Z][^\WA-Z]*(?:[^\WA-Z]|-)*", re.UNICODE)
_VALUE = re.compile(r"(?:[^\WA-Z]|-)*", re.UNICODE)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NETWORK = re.compile(r"projects/[^/]+/global/networks/[^/]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FLEX_START = 6
_MAX_LABELS = 64
_MAX_ENV = 100
_DISKS = ("", "pd-ssd", "pd-standard", "hyperdisk-balanced")


def problems_of(job: Any) -> list[tuple[str, str]]:
    """List what is wrong with a job, as pairs of field and message.

    Args:
        job: A `CustomJob` whose required fields are there.
    """
    return [*_of_labels(job), *_of_spec(job.job_spec)]


def _of_labels(job: Any) -> Iterator[tuple[str, str]]:
    if len(job.display_name) > 128:
        yield "custom_job.display_name", "The display name exceeds the limit of 128 characters."
    if len(job.labels) > _MAX_LABELS:
        yield "custom_job.labels", f"No more than {_MAX_LABELS} labels are allowed."
    for key, value in job.labels.items():
        # 64 characters by the class's documentation; the front end allows 63: https://cloud.google.com/vertex-ai/docs/general/labels
        if len(key) > 63 or not _KEY.fullmatch(key):
            yield "custom_job.labels", f"Label key {key!r} is invalid."
        if len(value) > 63 or not _VALUE.fullmatch(value):
            yield "custom_job.labels", f"Label value {value!r} of key {key!r} is invalid."


def _of_spec(spec: Any) -> Iterator[tuple[str, str]]:
    at = "custom_job.job_spec"
    if spec.network and not _NETWORK.fullmatch(spec.network):
        yield f"{at}.network", "The network must have the form projects/{project}/global/networks/{network}."
    if spec.service_account and not _EMAIL.fullmatch(spec.service_account):
        yield f"{at}.service_account", f"Service account {spec.service_account!r} is not an e-mail address."
    if spec.reserved_ip_ranges and not spec.network:
        yield f"{at}.reserved_ip_ranges", "Reserved IP ranges need a network."
    if spec.scheduling.max_wait_duration and spec.scheduling.strategy != _FLEX_START:
        yield f"{at}.scheduling.max_wait_duration", "The maximum wait duration needs the strategy FLEX_START."
    for index, pool in enumerate(spec.worker_pool_specs):
        yield from _of_pool(pool, f"{at}.worker_pool_specs[{index}]", is_first=index == 0)


def _of_pool(pool: Any, at: str, *, is_first: bool) -> Iterator[tuple[str, str]]:
    if not pool:
        return  # left out
    if not pool.machine_spec.machine_type:
        yield f"{at}.machine_spec.machine_type", "Required field is not set."
    if is_first and pool.replica_count != 1:
        yield f"{at}.replica_count", "The first worker pool must have one replica."
    machine = pool.machine_spec
    if bool(machine.accelerator_type) != bool(machine.accelerator_count):
        yield f"{at}.machine_spec", "accelerator_type and accelerator_count must be set together."
    if pool.disk_spec.boot_disk_type not in _DISKS:
        yield f"{at}.disk_spec.boot_disk_type", f"Disk type {pool.disk_spec.boot_disk_type!r} is not supported."
    if pool.disk_spec and pool.disk_spec.boot_disk_size_gb < 100:
        yield f"{at}.disk_spec.boot_disk_size_gb", "The boot disk must have at least 100 GB."
    if not pool.container_spec and not pool.python_package_spec:
        yield f"{at}.container_spec", "A worker pool needs a container or a Python package."
    variables = (pool.container_spec or pool.python_package_spec).env
    if len(variables) > _MAX_ENV:
        yield f"{at}.container_spec.env", f"No more than {_MAX_ENV} environment variables are allowed."
    for variable in variables:
        if not _IDENTIFIER.fullmatch(variable.name):
            yield f"{at}.container_spec.env", f"{variable.name!r} is no C identifier."
