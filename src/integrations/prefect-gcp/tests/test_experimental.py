"""The former import paths give the same things, and warn."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

import prefect_gcp.bundles.execute
import prefect_gcp.bundles.upload
import prefect_gcp.decorators

NAMES = {
    "prefect_gcp.experimental": (prefect_gcp.decorators, ["cloud_run", "vertex_ai"]),
    "prefect_gcp.experimental.decorators": (prefect_gcp.decorators, ["cloud_run", "vertex_ai"]),
    "prefect_gcp.experimental.bundles.upload": (
        prefect_gcp.bundles.upload,
        ["UploadBundleToGcsOutput", "main", "upload_bundle_to_gcs"],
    ),
    "prefect_gcp.experimental.bundles.execute": (prefect_gcp.bundles.execute, ["execute_bundle_from_gcs", "main"]),
}


def fresh(name: str) -> tuple[ModuleType, list[str]]:
    """Import a module and its parents anew; give it and what it warns of."""
    for loaded in [module for module in sys.modules if module.startswith("prefect_gcp.experimental")]:
        del sys.modules[loaded]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = importlib.import_module(name)
    assert {warning.category for warning in caught} == {DeprecationWarning}
    return module, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", NAMES)
def test_an_old_path_warns_and_gives_what_the_new_one_has(name: str) -> None:
    new, names = NAMES[name]
    old, said = fresh(name)
    assert said[-1].startswith(f"`{name}` has moved to `{new.__name__}`")
    assert old.__all__ == names
    for attribute in names:
        assert getattr(old, attribute) is getattr(new, attribute)


def test_the_folder_of_the_steps_gives_both_and_warns() -> None:
    old, said = fresh("prefect_gcp.experimental.bundles")
    assert said[-1].startswith("`prefect_gcp.experimental.bundles` has moved to `prefect_gcp.bundles`")
    assert old.upload_bundle_to_gcs is prefect_gcp.bundles.upload.upload_bundle_to_gcs
    assert old.execute_bundle_from_gcs is prefect_gcp.bundles.execute.execute_bundle_from_gcs
