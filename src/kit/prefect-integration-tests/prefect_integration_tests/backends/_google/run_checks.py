"""What Cloud Run refuses in a job, beyond types: limits of the documents' descriptions and of Google's guides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import cast

from .errors import ApiError, Json, invalid_argument

_JOB_ID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 63  # "The sum of job name and token length must be fewer than 63 characters", run.v2.json
_LABEL_KEY = re.compile(r"[a-z][-_a-z0-9]{0,62}")
_LABEL_VALUE = re.compile(r"[-_a-z0-9]{0,63}")
_MOST_LABELS = 64  # https://cloud.google.com/run/docs/configuring/labels
_SYSTEM = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
_LONGEST_VALUE = 32768  # bytes of a variable's value, run.v2.json
_MOST_VARIABLES = 1000  # https://cloud.google.com/run/quotas
_RESERVED = ("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT")
_MOST_RETRIES = 10  # https://cloud.google.com/run/docs/configuring/max-retries
_MOST_TASKS = 10000  # https://cloud.google.com/run/quotas
_LONGEST_SECONDS = 168 * 3600  # https://cloud.google.com/run/docs/configuring/task-timeout
_CPUS = {"1": 1, "2": 2, "4": 4, "8": 8}
_LEAST_MEMORY = {1: 512 << 20, 2: 512 << 20, 4: 2 << 30, 8: 4 << 30}
_MOST_MEMORY = {1: 4 << 30, 2: 8 << 30, 4: 16 << 30, 8: 32 << 30}
# https://cloud.google.com/run/docs/configuring/services/memory-limits#cpu-minimum
_UNITS = {"": 1, "k": 1000, "Ki": 1 << 10, "M": 10**6, "Mi": 1 << 20, "G": 10**9, "Gi": 1 << 30}


def check_job_id(job_id: str) -> None:
    """Refuse what is no name of a job.

    Raises:
        ApiError: 400.
    """
    if not _JOB_ID.fullmatch(job_id) or len(job_id) > _LONGEST_NAME:
        said = (
            "must be a valid DNS_LABEL of at most 63 characters: lowercase letters, digits and hyphens, beginning with "
            f"a letter and not ending with a hyphen, but was {job_id!r}"
        )
        raise _violation("CreateJobRequest.job_id", said)


def check_job(body: Json, request: str = "CreateJobRequest") -> None:
    """Refuse a job of API v2 that Cloud Run would refuse.

    Args:
        body: The job.
        request: Name of the request message, which errors begin with.

    Raises:
        ApiError: 400, naming the field.
    """
    where = f"{request}.job"
    template: Json = body.get("template", {})
    _check_labels(body.get("labels", {}), f"{where}.labels")
    _check_labels(template.get("labels", {}), f"{where}.template.labels")
    for key in body.get("annotations", {}):
        _refuse_system(key, f"{where}.annotations")
    if "template" not in template:
        raise _violation(f"{where}.template.template", "required field")
    check_execution(template, f"{where}.template")
    _check_token(body)


def check_execution(template: Json, where: str) -> None:
    """Refuse an execution template that Cloud Run would refuse.

    Raises:
        ApiError: 400, naming the field.
    """
    count = template.get("taskCount", 1)
    _within(count, 1, _MOST_TASKS, f"{where}.task_count")
    _within(template.get("parallelism", 0), 0, count, f"{where}.parallelism")
    task: Json = template["template"]
    where = f"{where}.template"
    _within(task.get("maxRetries", 3), 0, _MOST_RETRIES, f"{where}.max_retries")
    _within(seconds_of(task.get("timeout", "600s")), 1, _LONGEST_SECONDS, f"{where}.timeout")
    containers = cast("list[Json]", task.get("containers", []))
    if not containers:
        raise _violation(f"{where}.containers", "must contain at least one container")
    names = {volume.get("name") for volume in cast("list[Json]", task.get("volumes", []))}
    if len(containers) > 1 and not all(container.get("name") for container in containers):
        raise _violation(f"{where}.containers", "containers of a multi-container task must have names")
    for index, container in enumerate(containers):
        _check_container(container, f"{where}.containers[{index}]", names)


def _check_container(container: Json, where: str, volumes: set[str | None]) -> None:
    if not container.get("image"):
        raise _violation(f"{where}.image", "required field")
    variables = cast("list[Json]", container.get("env", []))
    if len(variables) > _MOST_VARIABLES:
        raise _violation(f"{where}.env", f"must have at most {_MOST_VARIABLES} variables")
    secret_names: list[str] = []
    for index, variable in enumerate(variables):
        name: str = variable.get("name", "")
        if not name or "=" in name:
            raise _violation(f"{where}.env[{index}].name", "must be a valid name of an environment variable")
        if name in _RESERVED:
            raise _violation(f"{where}.env[{index}].name", f"the following reserved env names were provided: {name}")
        if len(variable.get("value", "").encode()) > _LONGEST_VALUE:
            raise _violation(f"{where}.env[{index}].value", f"must not be longer than {_LONGEST_VALUE} bytes")
        if "value" in variable and "valueSource" in variable:
            raise _violation(f"{where}.env[{index}]", "only one of value and value_source may be set")
        if "valueSource" in variable:
            secret_names.append(name)
            if not variable["valueSource"].get("secretKeyRef", {}).get("secret"):
                raise _violation(f"{where}.env[{index}].value_source.secret_key_ref.secret", "required field")
    every = [variable.get("name", "") for variable in variables]
    for name in secret_names:  # "if referencing a secret, the name must be unique for the container", run.v1.json
        if every.count(name) > 1:
            raise _violation(f"{where}.env", f"duplicate environment variable {name}")
    for index, mount in enumerate(cast("list[Json]", container.get("volumeMounts", []))):
        if mount.get("name") not in volumes:
            raise _violation(f"{where}.volume_mounts[{index}].name", f"volume {mount.get('name')!r} is not declared")
    _check_resources(container.get("resources", {}).get("limits", {}), f"{where}.resources.limits")


def _check_resources(limits: Json, where: str) -> None:
    unknown = limits.keys() - {"cpu", "memory", "nvidia.com/gpu"}
    if unknown:
        raise _violation(where, f"unsupported resource {sorted(unknown)[0]!r}; only cpu, memory, nvidia.com/gpu")
    cpu = str(limits.get("cpu", "1")).removesuffix("000m")
    if cpu not in _CPUS:
        raise _violation(f"{where}.cpu", f"Invalid value specified for cpu: {limits['cpu']}. Supported: 1, 2, 4, 8")
    memory = memory_bytes(limits.get("memory", "512Mi"), f"{where}.memory")
    least, most = _LEAST_MEMORY[_CPUS[cpu]], _MOST_MEMORY[_CPUS[cpu]]
    if not least <= memory <= most:
        said = f"For {cpu} CPU, memory must be between {least >> 20}Mi and {most >> 20}Mi inclusive"
        raise _violation(f"{where}.memory", f"Invalid value specified for container memory. {said}.")


def memory_bytes(text: str, where: str = "memory") -> int:
    """Read an amount of memory, such as `512Mi`.

    Raises:
        ApiError: 400.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(|k|Ki|M|Mi|G|Gi)", text)
    if found is None:
        raise _violation(where, f"Invalid value specified for container memory: {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def seconds_of(duration: str) -> float:
    """Read a duration, such as `600s`."""
    return float(duration.removesuffix("s"))


def _check_token(body: Json) -> None:
    tokens = [body.get("startExecutionToken"), body.get("runExecutionToken")]
    if all(tokens):
        raise _violation("CreateJobRequest.job", "only one of start_execution_token, run_execution_token may be set")


def check_execution_token(job_id: str, token: str) -> None:
    """Refuse a token that makes too long a name.

    Raises:
        ApiError: 400.
    """
    if len(job_id) + len(token) >= _LONGEST_NAME:
        said = f"The sum of job name and token length must be fewer than {_LONGEST_NAME} characters"
        raise _violation("CreateJobRequest.job.execution_token", said)


def _check_labels(labels: Json, where: str) -> None:
    if len(labels) > _MOST_LABELS:
        raise _violation(where, f"must have at most {_MOST_LABELS} labels")
    for key, value in labels.items():
        _refuse_system(key, where)
        if not _LABEL_KEY.fullmatch(key):
            said = "must start with a lowercase letter and have at most 63 lowercase letters, digits, '_' and '-'"
            raise _violation(where, f"label key {key!r} {said}")
        if not _LABEL_VALUE.fullmatch(value):
            said = "must have at most 63 lowercase letters, digits, '_' and '-'"
            raise _violation(where, f"label value {value!r} of {key!r} {said}")


def _refuse_system(key: str, where: str) -> None:
    if key.startswith(tuple(f"{prefix}/" for prefix in _SYSTEM)):
        raise _violation(where, f"system key {key!r} is not supported in API v2")


def _within(number: float, least: float, most: float, where: str) -> None:
    if not least <= number <= most:
        raise _violation(where, f"must be between {least} and {most} inclusive, but was {number}")


def _violation(field: str, said: str) -> ApiError:
    return invalid_argument(f"Violation in {field}: {said}.".replace("..", "."), (field.partition(".")[2], said))


def selects(selector: str) -> Callable[[Json], bool]:
    """Read a label selector of API v1.

    Raises:
        ApiError: 400.
    """
    tests: list[Callable[[Json], bool]] = []
    for part in _split(selector):
        found = re.fullmatch(r"\s*([\w./-]+)\s*(=|==|!=)\s*([\w.-]*)\s*", part)
        within = re.fullmatch(r"\s*([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)\s*", part)
        alone = re.fullmatch(r"\s*(!?)\s*([\w./-]+)\s*", part)
        if found is not None:
            tests.append(_equal(found[1], found[3], found[2] != "!="))
        elif within is not None:
            tests.append(_among(within[1], {each.strip() for each in within[3].split(",")}, within[2] == "in"))
        elif alone is not None:
            tests.append(_there(alone[2], not alone[1]))
        else:
            raise invalid_argument(f"Invalid label selector: {selector!r}", ("label_selector", "cannot be parsed"))
    return lambda labels: all(test(labels) for test in tests)


def _split(selector: str) -> Iterable[str]:
    return (part for part in re.split(r",(?![^(]*\))", selector) if part.strip())


def _equal(key: str, value: str, wanted: bool) -> Callable[[Json], bool]:
    return lambda labels: (labels.get(key) == value) is wanted


def _among(key: str, values: set[str], wanted: bool) -> Callable[[Json], bool]:
    return lambda labels: (labels.get(key) in values) is wanted


def _there(key: str, wanted: bool) -> Callable[[Json], bool]:
    return lambda labels: (key in labels) is wanted
