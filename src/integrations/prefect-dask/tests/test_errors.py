"""Errors are what Python calls them, too."""

from __future__ import annotations

import pytest

from prefect_dask import errors


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (errors.DaskConfigurationError, ValueError),
        (errors.DaskClusterModuleMissing, ModuleNotFoundError),
        (errors.DaskClusterClassMissing, AttributeError),
        (errors.DaskClusterUnavailable, ConnectionError),
        (errors.DaskArgumentError, TypeError),
        (errors.DaskTaskRunLost, RuntimeError),
        (errors.DaskResultLost, errors.DaskTaskRunLost),
    ],
    ids=lambda cls: cls.__name__,
)
def test_errors_are_those_of_python_too(cls: type[Exception], base: type[Exception]) -> None:
    assert issubclass(cls, base)
    assert issubclass(cls, errors.DaskError)
