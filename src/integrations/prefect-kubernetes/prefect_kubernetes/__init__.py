"""Prefect on Kubernetes: the worker and its observer, credentials, jobs and other resources of a cluster."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .credentials import KubernetesClusterConfig, KubernetesCredentials
from .jobs import KubernetesJob
from .worker import KubernetesWorker

if TYPE_CHECKING:
    from .flows import run_namespaced_job

__version__ = version("prefect-kubernetes")

__all__ = [
    "KubernetesClusterConfig",
    "KubernetesCredentials",
    "KubernetesJob",
    "KubernetesWorker",
    "run_namespaced_job",
]


__getattr__, __dir__ = late_names(
    __name__,
    {
        "run_namespaced_job": ".flows",
    },
)
