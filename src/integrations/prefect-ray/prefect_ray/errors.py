"""What can go wrong.

```text
RayError
├── RayConfigurationError      options that cannot work (also a ValueError)
├── RayClusterUnavailable      Ray could not be started or reached (also a ConnectionError)
├── RayArgumentError           an argument cannot be sent to a worker (also a TypeError)
└── RayTaskRunLost             Ray lost a task run: its worker or node died (also a RuntimeError)
    └── RayResultLost          a task run has ended, and its result went with its node
```
"""

from __future__ import annotations

__all__ = [
    "RayArgumentError",
    "RayClusterUnavailable",
    "RayConfigurationError",
    "RayError",
    "RayResultLost",
    "RayTaskRunLost",
]


class RayError(Exception):
    """Base of what this package raises."""


class RayConfigurationError(RayError, ValueError):
    """Options of the task runner or of a task that cannot work."""


class RayClusterUnavailable(RayError, ConnectionError):
    """Ray could not be started, or the cluster did not answer."""


class RayArgumentError(RayError, TypeError):
    """An argument of a task that cannot be sent to a worker."""


class RayTaskRunLost(RayError, RuntimeError):
    """Ray lost a task run before it ended: its worker or its node died, or the cluster is gone."""


class RayResultLost(RayTaskRunLost):
    """A task run has ended, but its result was on a node that died."""
