"""Where jobs of flow runs are: the clusters and namespaces that workers of this process use."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..credentials import KubernetesClusterConfig


@dataclass(frozen=True)
class Place:
    """A namespace of a cluster.

    Attributes:
        namespace: Its name; empty for all namespaces.
        cluster: Tells clusters apart: two equal configurations are the same cluster.
        cluster_config: How to reach the cluster; `None` for the one that this process is set up for.
    """

    namespace: str
    cluster: str = ""
    cluster_config: KubernetesClusterConfig | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, namespace: str, cluster_config: KubernetesClusterConfig | None = None) -> Place:
        """Name a namespace of the cluster that a block is for."""
        return cls(namespace, fingerprint(cluster_config), cluster_config)

    def __str__(self) -> str:
        """Name it in a message."""
        return f"namespace {self.namespace!r}" if self.namespace else "all namespaces"


def fingerprint(cluster_config: KubernetesClusterConfig | None) -> str:
    """Tell a cluster's configuration from others, without repeating what is in it."""
    if cluster_config is None:
        return ""
    text = f"{cluster_config.context_name}\n{cluster_config.config!r}"
    return hashlib.sha256(text.encode()).hexdigest()


class Places:
    """The places that are used in this process. Any thread may add one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[Place, None] = {}
        self._listeners: list[Callable[[Place], None]] = []

    def add(self, namespace: str, cluster_config: KubernetesClusterConfig | None = None) -> None:
        """Say that jobs are, or will be, in a namespace.

        Args:
            namespace: Its name.
            cluster_config: How to reach its cluster; `None` for the one that this process is set up for.
        """
        place = Place.of(namespace, cluster_config)
        with self._lock:
            if place in self._places:
                return
            self._places[place] = None
            listeners = list(self._listeners)
        for listener in listeners:
            listener(place)

    def known(self) -> list[Place]:
        """All places so far."""
        with self._lock:
            return list(self._places)

    def listen(self, listener: Callable[[Place], None]) -> Callable[[], None]:
        """Have a function called with each new place, in the thread that adds it; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def forget() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return forget

    def clear(self) -> None:
        """Forget all places."""
        with self._lock:
            self._places.clear()


places = Places()
"""The places of this process."""
