"""Errors are what Python calls them, too, and travel."""

from __future__ import annotations

import pickle

import pytest

from prefect_ray import errors


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (errors.RayConfigurationError, ValueError),
        (errors.RayClusterUnavailable, ConnectionError),
        (errors.RayArgumentError, TypeError),
        (errors.RayTaskRunLost, RuntimeError),
        (errors.RayResultLost, errors.RayTaskRunLost),
    ],
    ids=lambda cls: cls.__name__,
)
def test_errors_are_those_of_python_too(cls: type[Exception], base: type[Exception]) -> None:
    assert issubclass(cls, base)
    assert issubclass(cls, errors.RayError)
    assert str(pickle.loads(pickle.dumps(cls("no")))) == "no"
