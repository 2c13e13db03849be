"""What a flow run's `infrastructure_pid` says: which job of which namespace runs it."""

from __future__ import annotations

from typing import NamedTuple


class JobIdentifier(NamedTuple):
    """Names one job.

    Attributes:
        namespace: The namespace of the job.
        job_name: Its name.
        cluster_uid: The cluster, where an identifier names one: that of older versions does.
    """

    namespace: str
    job_name: str
    cluster_uid: str | None = None

    def __str__(self) -> str:
        """As `infrastructure_pid` has it."""
        return f"{self.namespace}:{self.job_name}"

    def is_named_by(self, infrastructure_pid: str) -> bool:
        """Say whether an identifier names this job.

        Args:
            infrastructure_pid: An identifier of any version.
        """
        try:
            other = parse_identifier(infrastructure_pid)
        except ValueError:
            return False
        same_cluster = self.cluster_uid is None or other.cluster_uid in (None, self.cluster_uid)
        return same_cluster and (other.namespace, other.job_name) == (self.namespace, self.job_name)


def parse_identifier(infrastructure_pid: str) -> JobIdentifier:
    """Take an infrastructure identifier apart.

    Args:
        infrastructure_pid: `namespace:job_name`, or `cluster_uid:namespace:job_name` as older versions wrote it.

    Returns:
        Its parts.

    Raises:
        ValueError: If the text is of neither form.
    """
    cluster_uid: str | None
    cluster_uid, separator, rest = infrastructure_pid.rpartition(":")[0].rpartition(":")
    namespace = rest if separator else infrastructure_pid.rpartition(":")[0]
    job_name = infrastructure_pid.rpartition(":")[2]
    if not namespace or not job_name or (separator and not cluster_uid) or "/" in namespace or "/" in job_name:
        raise ValueError(
            f"{infrastructure_pid!r} does not name a Kubernetes job; expected 'namespace:job_name' or "
            "'cluster_uid:namespace:job_name'."
        )
    return JobIdentifier(namespace, job_name, cluster_uid or None)
