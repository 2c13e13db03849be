"""What can go wrong.

```text
DaskError
├── DaskConfigurationError     options of the task runner that contradict each other (also a ValueError)
│   ├── DaskClusterModuleMissing   the module of a cluster class is not installed (also a ModuleNotFoundError)
│   └── DaskClusterClassMissing    the module has no such class (also an AttributeError)
├── DaskClusterUnavailable     a cluster could not be started or reached (also a ConnectionError)
├── DaskArgumentError          an argument cannot be sent to a worker (also a TypeError)
└── DaskTaskRunLost            Dask lost a task run: its worker died, or the scheduler did (also a RuntimeError)
    └── DaskResultLost         a task run has ended, and its result went with its worker
```
"""

from __future__ import annotations

__all__ = [
    "DaskArgumentError",
    "DaskClusterClassMissing",
    "DaskClusterModuleMissing",
    "DaskClusterUnavailable",
    "DaskConfigurationError",
    "DaskError",
    "DaskResultLost",
    "DaskTaskRunLost",
]


class DaskError(Exception):
    """Base of what this package raises."""


class DaskConfigurationError(DaskError, ValueError):
    """Options of the task runner that contradict each other, or that cannot work."""


class DaskClusterModuleMissing(DaskConfigurationError, ModuleNotFoundError):
    """The module of a `cluster_class` that is given by its name cannot be imported."""


class DaskClusterClassMissing(DaskConfigurationError, AttributeError):
    """The module of a `cluster_class` that is given by its name has no such class."""


class DaskClusterUnavailable(DaskError, ConnectionError):
    """A cluster could not be started, or its scheduler did not answer."""


class DaskArgumentError(DaskError, TypeError):
    """An argument of a task that cannot be sent to a worker."""


class DaskTaskRunLost(DaskError, RuntimeError):
    """Dask lost a task run before it ended: its worker died, or the connection to the scheduler broke."""


class DaskResultLost(DaskTaskRunLost):
    """A task run has ended, but its result was on a worker that died."""
