"""Import the job service of Vertex AI's SDK, and not the forty other services that its package imports with it.

Importing `google.cloud.aiplatform_v1` takes five to ten seconds of a processor, nearly all of it for services that a
worker never calls. Here the package and its `types` come into `sys.modules` without their `__init__` being run; that
runs when somebody asks for a name that is none of their submodules, so every other user of the package finds it whole.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from importlib.abc import Loader
from types import ModuleType
from typing import Any

_PACKAGES = ("google.cloud.aiplatform_v1", "google.cloud.aiplatform_v1.types")
_SERVICE = "google.cloud.aiplatform_v1.services.job_service"
_lock = threading.RLock()


def load_job_service() -> None:
    """Import the clients of the job service. Takes a second, and none when it is done already.

    Raises:
        ImportError: If the SDK is not installed. The message is the command that installs it.
    """
    from prefect_integration_kit.extras import require_extra

    with _lock:
        for name in _PACKAGES:
            if name not in sys.modules:
                _put_off(name)
        require_extra(_SERVICE, distribution="prefect-gcp", extra="aiplatform")


def _put_off(name: str) -> None:
    """Put a package into `sys.modules`, and put its `__init__` off."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__getattr__"] = _Attributes(module, spec.loader)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)


class _Attributes:
    """The `__getattr__` of a package whose `__init__` was put off."""

    def __init__(self, module: ModuleType, loader: Loader) -> None:
        self._module = module
        self._loader = loader

    def __call__(self, name: str) -> Any:
        module = self._module
        if not name.startswith("__"):
            try:
                return importlib.import_module(f"{module.__name__}.{name}")
            except ModuleNotFoundError as exc:
                if exc.name != f"{module.__name__}.{name}":
                    raise
        with _lock:
            if module.__dict__.get("__getattr__") is self:
                del module.__dict__["__getattr__"]
                self._loader.exec_module(module)
        return getattr(module, name)
