"""The former import paths give the same things, and warn."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

import prefect_azure.bundles.execute
import prefect_azure.bundles.upload
import prefect_azure.decorators

NAMES = {
    "prefect_azure.experimental": (prefect_azure.decorators, ["azure_container_instance"]),
    "prefect_azure.experimental.decorators": (prefect_azure.decorators, ["azure_container_instance"]),
    "prefect_azure.experimental.bundles.upload": (
        prefect_azure.bundles.upload,
        ["UploadBundleToAzureBlobStorageOutput", "main", "upload_bundle_to_azure_blob_storage"],
    ),
    "prefect_azure.experimental.bundles.execute": (
        prefect_azure.bundles.execute,
        ["execute_bundle_from_azure_blob_storage", "main"],
    ),
}


def fresh(name: str) -> tuple[ModuleType, list[str]]:
    """Import a module and its parents anew; give it and what it warns of."""
    for loaded in [module for module in sys.modules if module.startswith("prefect_azure.experimental")]:
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
    old, said = fresh("prefect_azure.experimental.bundles")
    assert said[-1].startswith("`prefect_azure.experimental.bundles` has moved to `prefect_azure.bundles`")
    assert old.upload_bundle_to_azure_blob_storage is prefect_azure.bundles.upload.upload_bundle_to_azure_blob_storage
    assert (
        old.execute_bundle_from_azure_blob_storage
        is prefect_azure.bundles.execute.execute_bundle_from_azure_blob_storage
    )
