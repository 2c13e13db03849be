"""The two SDKs of Azure Machine Learning, imported when used."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from types import ModuleType

from prefect_integration_kit.extras import require_extra

_PYTHON = re.compile(r"^Programming Language :: Python :: (3\.\d+)$")


def azureml_core(module: str = "azureml.core") -> ModuleType:
    """Import a module of azureml-core, the SDK of the published tasks.

    Args:
        module: Its name.

    Raises:
        ImportError: If the extra `ml-datastore` is not installed, or azureml-core does not load, with what to do.
    """
    try:
        return require_extra(module, distribution="prefect-azure", extra="ml-datastore")
    except ImportError as exc:
        problem = _unsupported(exc)
        if problem is None:
            raise
        raise ImportError(problem, name=exc.name) from exc


def azure_ai_ml(module: str = "azure.ai.ml") -> ModuleType:
    """Import a module of azure-ai-ml, the current SDK.

    Args:
        module: Its name.

    Raises:
        ImportError: If the extra `machine-learning` is not installed.
    """
    return require_extra(module, distribution="prefect-azure", extra="machine-learning")


def _unsupported(exc: ImportError) -> str | None:
    """Say why azureml-core does not load here; `None` if it is not installed, and the error says so already."""
    try:
        installed = metadata("azureml-core")
    except PackageNotFoundError:
        versions: list[str] = []
        if sys.version_info < (3, 12):
            return None
        version = ""
    else:
        versions = [found[1] for line in installed.get_all("Classifier") or () if (found := _PYTHON.match(line))]
        version = f" {installed['Version']}"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    newer = (
        "Or use prefect_azure.machine_learning, which stands on the current SDK: "
        'pip install "prefect-azure[machine-learning]".'
    )
    if not version:
        return f"{exc} It is made for Python up to 3.11, and this is {here}. {newer}"
    if here not in versions and versions:
        ordered = sorted(versions, key=lambda text: int(text[2:]))
        return (
            f"azureml-core{version} is made for Python {ordered[0]} to {ordered[-1]} and does not load on {here} "
            f"({exc}). Use Python {ordered[-1]}. {newer}"
        )
    return (
        f"azureml-core{version} is installed and does not load ({exc}). It needs pkg_resources, which setuptools has "
        f'before version 81: pip install "prefect-azure[ml-datastore]" "setuptools<81". {newer}'
    )
