"""Prefect on Docker: the worker, containers, images, registries and deployment steps."""

from importlib.metadata import version

from .credentials import DockerRegistryCredentials
from .host import DockerHost
from .worker import DockerWorker

__version__ = version("prefect-docker")

__all__ = ["DockerHost", "DockerRegistryCredentials", "DockerWorker"]
