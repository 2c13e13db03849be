"""The former import paths give the same decorator, and warn."""

from __future__ import annotations

import importlib
import sys
import warnings

import pytest

from prefect_kubernetes.decorators import kubernetes


@pytest.mark.parametrize("name", ["prefect_kubernetes.experimental", "prefect_kubernetes.experimental.decorators"])
def test_an_old_path_gives_the_same_and_says_where_it_is_now(name: str) -> None:
    for loaded in [module for module in sys.modules if module.startswith("prefect_kubernetes.experimental")]:
        del sys.modules[loaded]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = importlib.import_module(name)
    assert module.kubernetes is kubernetes
    assert {warning.category for warning in caught} == {DeprecationWarning}
    assert any(f"`{name}` has moved to `prefect_kubernetes.decorators`" in str(each.message) for each in caught)
