"""List the namespaces of the cluster that the argument describes."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from prefect import flow

from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials


@flow
async def list_namespaces(config: dict[str, Any], context: str) -> list[str]:
    """List the namespaces."""
    credentials = KubernetesCredentials(cluster_config=KubernetesClusterConfig(config=config, context_name=context))
    async with credentials.get_client("core") as client:
        namespaces = await client.list_namespace()
    return [namespace.metadata.name for namespace in namespaces.items]


print("default" in asyncio.run(list_namespaces(**json.loads(sys.argv[1]))))
