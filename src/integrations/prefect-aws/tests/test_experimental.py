"""The former import paths give the same things, and warn."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

import prefect_aws.bundles.execute
import prefect_aws.bundles.upload
import prefect_aws.decorators

NAMES = {
    "prefect_aws.experimental": (prefect_aws.decorators, ["ecs"]),
    "prefect_aws.experimental.decorators": (prefect_aws.decorators, ["ecs"]),
    "prefect_aws.experimental.bundles.upload": (
        prefect_aws.bundles.upload,
        ["UploadResult", "main", "upload_bundle_to_s3"],
    ),
    "prefect_aws.experimental.bundles.execute": (
        prefect_aws.bundles.execute,
        ["DownloadResult", "download_bundle_from_s3", "execute_bundle_from_s3", "main"],
    ),
}


def fresh(name: str) -> tuple[ModuleType, list[str]]:
    """Import a module and its parents anew; give it and what it warns of."""
    for loaded in [module for module in sys.modules if module.startswith("prefect_aws.experimental")]:
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


def test_the_folder_of_the_steps_does_not_warn_itself() -> None:
    _, said = fresh("prefect_aws.experimental.bundles")
    assert [message.split("`")[1] for message in said] == ["prefect_aws.experimental"]
