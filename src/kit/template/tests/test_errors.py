"""Errors keep what Acme said, also after a journey to another process."""

import pickle

import pytest

from prefect_acme.errors import AcmeError, AcmeObjectNotFound, AcmeUnavailable, is_transient


def test_the_time_to_come_back_survives_pickling():
    error = AcmeUnavailable("acme://b/k: Acme answered 503.", retry_after=3.0)
    assert pickle.loads(pickle.dumps(error)).retry_after == 3.0


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AcmeUnavailable("x"), True),
        (AcmeUnavailable("x", retry_after=3.0), 3.0),
        (AcmeObjectNotFound("x"), False),
        (AcmeError("x"), False),
        (KeyError("x"), False),
    ],
)
def test_only_what_may_pass_is_transient(error, verdict):
    assert is_transient(error) is verdict or is_transient(error) == verdict
