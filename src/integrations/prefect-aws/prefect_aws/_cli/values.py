"""What can be wrong with the options of a command, found before AWS is asked. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from .._ecs import fargate
from .failures import CommandFailed

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,76}")  # a queue's name has 80 at most, and the dead-letter queue adds four
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_CLUSTER_ARN = re.compile(r"arn:aws[a-z-]*:ecs:(?P<region>[a-z0-9-]+):\d{12}:cluster/[A-Za-z0-9_-]{1,255}")
_SECRET_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):\d{12}:secret:[^:\s]+")
_ID = re.compile(r"[a-z]+-[0-9a-z]+")
_LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104 - names to warn of, nothing is bound


def stack_name(value: str) -> str:
    """Check the name of a stack."""
    if not _STACK_NAME.fullmatch(value):
        raise CommandFailed(
            f"--stack-name is {value!r}; it must begin with a letter and have at most 128 letters, digits and hyphens."
        )
    return value


def work_pool_name(value: str) -> str:
    """Check the name of a work pool."""
    if not value.strip() or any(character in "/%&<>" or not character.isprintable() for character in value):
        raise CommandFailed(f"--work-pool-name is {value!r}; it must not be empty, nor contain / % & < >.")
    return value.strip()


def events_queue_name(pool: str) -> str:
    """Name the queue of a work pool's events: `<pool>-events`, or something like it where no queue may be called so."""
    name = f"{pool}-events"
    if _QUEUE_NAME.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", pool).strip("-")[:56]
    digest = hashlib.sha256(pool.encode()).hexdigest()[:8]  # pools whose names differ must not share a queue
    return "-".join(part for part in (readable, digest, "events") if part)


def cluster_identifier(value: str, *, region: str, option: str = "--existing-cluster-identifier") -> str:
    """Check the name or ARN of a cluster, and that it is of this region."""
    value = value.strip()
    if match := _CLUSTER_ARN.fullmatch(value):
        _same_region(option, value, match["region"], region)
    elif not _CLUSTER_NAME.fullmatch(value):
        raise CommandFailed(
            f"{option} is {value!r}; it must be a cluster's name, or its ARN such as "
            "arn:aws:ecs:eu-central-1:123456789012:cluster/flows."
        )
    return value


def cluster_arn(value: str, *, region: str) -> str:
    """Check the ARN of a cluster."""
    if not _CLUSTER_ARN.fullmatch(value.strip()):
        raise CommandFailed(
            f"--existing-cluster-arn is {value!r}; it must be an ARN such as "
            "arn:aws:ecs:eu-central-1:123456789012:cluster/flows."
        )
    return cluster_identifier(value, region=region, option="--existing-cluster-arn")


def secret_arn(option: str, value: str, *, region: str) -> str:
    """Check the ARN of a secret, and that it is of this region."""
    match = _SECRET_ARN.fullmatch(value)
    if match is None:
        raise CommandFailed(
            f"{option} is not the ARN of a secret, such as "
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prefect-key-AbCdEf. "
            "The secret's whole value is used: a field of it cannot be named."
        )
    _same_region(option, value, match["region"], region)
    return value


def _same_region(option: str, arn: str, theirs: str, ours: str) -> None:
    if theirs != ours:
        raise CommandFailed(f"{option} is {arn}, which is in {theirs}, but the stack is in {ours}. Change one of them.")


def vpc_id(value: str) -> str:
    """Check the ID of a VPC."""
    value = value.strip()
    if not value.startswith("vpc-") or not _ID.fullmatch(value):
        raise CommandFailed(f"--existing-vpc-id is {value!r}; it must be an ID such as vpc-0a1b2c3d.")
    return value


def subnet_ids(value: str) -> list[str]:
    """Take a list of subnets apart."""
    found = list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    wrong = [part for part in found if not part.startswith("subnet-") or not _ID.fullmatch(part)]
    if wrong or not found:
        raise CommandFailed(
            f"--existing-subnet-ids is {value!r}; it must be IDs separated by commas, such as "
            "subnet-0a1b2c3d,subnet-4e5f6a7b."
        )
    return found


def work_queues(value: str) -> str:
    """Check the names of work queues."""
    return ",".join(part.strip() for part in value.split(",") if part.strip())


def docker_image(value: str) -> str:
    """Check the name of an image."""
    if not value or any(character.isspace() for character in value):
        raise CommandFailed(
            f"--docker-image is {value!r}; it must be an image's name, such as prefecthq/prefect-aws:latest."
        )
    return value


def size(cpu: int, memory: int) -> None:
    """Check that Fargate offers this CPU with this memory."""
    if problem := fargate.conflict(cpu, memory):
        raise CommandFailed(f"--task-cpu {cpu} and --task-memory {memory} do not go together: {problem}")


def capacity(least: int, desired: int, most: int) -> None:
    """Check the numbers of workers."""
    if not 0 <= least <= desired <= most:
        raise CommandFailed(
            f"--min-capacity is {least}, --desired-count {desired} and --max-capacity {most}; "
            "they must be in ascending order, and none of them negative."
        )


def log_retention(days: int) -> None:
    """Check that CloudWatch can keep logs for so long."""
    if days not in LOG_RETENTION_DAYS:
        nearest = min(LOG_RETENTION_DAYS, key=lambda offered: abs(offered - days))
        listed = ", ".join(map(str, LOG_RETENTION_DAYS))
        raise CommandFailed(f"--log-retention-days is {days}; CloudWatch offers {listed}. The nearest is {nearest}.")


def api_url(value: str) -> str:
    """Check the URL of the Prefect API."""
    value = value.strip().rstrip("/")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:  # its text has the address in it, and so a password
        raise CommandFailed(
            "--prefect-api-url is no URL such as https://prefect.example.org/api, as `prefect config view` shows it."
        ) from None
    if "@" in value:  # also behind the host, where a password ends up that has a `/` in it
        raise CommandFailed(
            "--prefect-api-url has a user name or password in it, which everybody who may read the task definition "
            "would see. Give --prefect-auth-string instead."
        )
    is_one_word = value.isprintable() and " " not in value
    if parts.scheme not in ("http", "https") or not is_one_word or (parts.hostname or "-").startswith("-"):
        raise CommandFailed(
            f"--prefect-api-url is {value!r}; it must be a URL such as https://prefect.example.org/api, as "
            "`prefect config view` shows it."
        )
    if parts.hostname in _LOCAL:
        raise CommandFailed(
            f"--prefect-api-url is {value}; in its container, the worker would look for the server in itself. "
            "Give an address that can be reached from the VPC."
        )
    return value


def is_cloud(url: str) -> bool:
    """Say whether the API is that of Prefect Cloud."""
    host = urlsplit(url).hostname or ""
    return host.endswith((".prefect.cloud", ".prefect.dev"))


class Authentication(NamedTuple):
    """How the worker signs in to the Prefect API; at most one of the four is set."""

    api_key_secret_arn: str = ""
    api_key: str = ""
    auth_string_secret_arn: str = ""
    auth_string: str = ""

    def __repr__(self) -> str:
        """Say which is set, and nothing of its value."""
        return f"Authentication({', '.join(self.given())})"

    def given(self) -> list[str]:
        """The options that are set."""
        return [f"--prefect-{name.replace('_', '-')}" for name, value in zip(self._fields, self, strict=True) if value]

    def parameters(self) -> dict[str, str]:
        """What the template is told."""
        names = ("PrefectApiKeySecretArn", "PrefectApiKey", "PrefectAuthStringSecretArn", "PrefectAuthString")
        return dict(zip(names, self, strict=True))


def authentication(url: str, chosen: Authentication, *, region: str, keeps_old: bool = False) -> Authentication:
    """Check how the worker signs in.

    Args:
        url: URL of the Prefect API.
        chosen: What the options say.
        region: Region of the stack.
        keeps_old: Whether the stack exists, so that saying nothing leaves it as it is.
    """
    given = chosen.given()
    if len(given) > 1:
        raise CommandFailed(f"{' and '.join(given)} are given; give one of them.")
    if chosen.api_key_secret_arn:
        secret_arn("--prefect-api-key-secret-arn", chosen.api_key_secret_arn, region=region)
    if chosen.auth_string_secret_arn:
        secret_arn("--prefect-auth-string-secret-arn", chosen.auth_string_secret_arn, region=region)
    if is_cloud(url):
        if chosen.auth_string or chosen.auth_string_secret_arn:
            raise CommandFailed(f"{given[0]} is for Prefect servers of your own. For Prefect Cloud give an API key.")
        if not given and not keeps_old:
            raise CommandFailed(
                "Prefect Cloud asks for an API key. Give --prefect-api-key-secret-arn, or --prefect-api-key; "
                "`--prefect-api-key -` asks for it without showing it."
            )
    return chosen
