"""The pod that the worker itself runs in, if it does."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import KubernetesError

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

    from .cluster import Cluster

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api"""


class OwnPod:
    """What the worker's own pod takes from Secrets; it is looked up once."""

    def __init__(self) -> None:
        self._references: dict[str, dict[str, Any]] | None = None

    @cached_property
    def namespace(self) -> str | None:
        """Name of the pod's namespace; `None` when the worker runs in no pod."""
        return NAMESPACE_FILE.read_text().strip() if NAMESPACE_FILE.is_file() else None

    async def references(self, cluster: Cluster, logger: Log) -> dict[str, dict[str, Any]]:
        """Say which variables come from Secrets, and what their `valueFrom` says.

        Args:
            cluster: The cluster that the worker runs in.
            logger: Told when the worker may not read its own pod: then there are none.
        """
        if self._references is None:
            try:
                # The name of a pod is its host name: https://kubernetes.io/docs/concepts/workloads/pods/pod-hostname/
                self._references = await cluster.environment_references(
                    os.environ.get("HOSTNAME", ""), self.namespace or ""
                )
            except KubernetesError as exc:
                logger.debug("The worker's own pod cannot be read: %s", exc)
                self._references = {}
        return self._references
