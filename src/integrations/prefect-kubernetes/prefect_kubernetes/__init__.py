"""Prefect on Kubernetes: the worker and its observer, credentials, jobs and other resources of a cluster."""

from importlib.metadata import version

from .credentials import KubernetesClusterConfig, KubernetesCredentials
from .flows import run_namespaced_job
from .jobs import KubernetesJob
from .worker import KubernetesWorker

__version__ = version("prefect-kubernetes")

__all__ = [
    "KubernetesClusterConfig",
    "KubernetesCredentials",
    "KubernetesJob",
    "KubernetesWorker",
    "run_namespaced_job",
]
