"""The former import paths give the same things, and warn."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

import prefect_docker.decorators

NAMES = {
    "prefect_docker.experimental": (prefect_docker.decorators, ["docker"]),
    "prefect_docker.experimental.decorators": (prefect_docker.decorators, ["docker"]),
}


def fresh(name: str) -> tuple[ModuleType, list[str]]:
    """Import a module and its parents anew; give it and what it warns of."""
    for loaded in [module for module in sys.modules if module.startswith("prefect_docker.experimental")]:
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
