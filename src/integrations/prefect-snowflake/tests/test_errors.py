"""Errors say what is wrong, are those of the connector, too, and survive a journey to another process."""

from __future__ import annotations

import pickle

import pytest
from snowflake.connector import errors as sdk

from prefect_snowflake import errors as own


@pytest.mark.parametrize(
    ("exc", "wanted"),
    [
        (sdk.ProgrammingError(msg="x", errno=2003, sqlstate="42S02"), own.SnowflakeObjectNotFound),
        (sdk.ProgrammingError(msg="x", errno=3001), own.SnowflakeAccessDenied),
        (sdk.ProgrammingError(msg="x", errno=604, query="SELECT 1"), own.SnowflakeQueryCancelled),
        (sdk.ProgrammingError(msg="x", errno=606), own.SnowflakeWarehouseUnavailable),
        (sdk.ProgrammingError(msg="Warehouse 'W' is suspended", errno=1), own.SnowflakeWarehouseUnavailable),
        (sdk.IntegrityError(msg="x", errno=100072), own.SnowflakeConstraintViolation),
        (sdk.DatabaseError(msg="Incorrect username or password", errno=250001), own.SnowflakeLoginRefused),
        (sdk.OperationalError(msg="Could not connect to Snowflake backend", errno=250001), own.SnowflakeUnavailable),
        (sdk.OperationalError(msg="x", errno=290503), own.SnowflakeUnavailable),
        (sdk.ProgrammingError(msg="x", errno=390111), own.SnowflakeSessionExpired),
        (sdk.DatabaseError(msg="x", errno=390999, sqlstate="08001"), own.SnowflakeLoginRefused),
        (sdk.ProgrammingError(msg="User is empty", errno=251005), own.SnowflakeCredentialsError),
        (sdk.InterfaceError(msg="x", errno=252006), own.SnowflakeError),
        (sdk.Error(msg="x"), own.SnowflakeError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{type(value).__name__}-{value.errno}",
)
def test_errors_of_the_connector_are_translated(exc: sdk.Error, wanted: type[own.SnowflakeError]) -> None:
    with pytest.raises(wanted, match="The thing: ") as caught, own.snowflake_errors("The thing"):
        raise exc
    assert isinstance(caught.value, type(exc))
    assert caught.value.errno == exc.errno
    assert getattr(caught.value, "query", "none") == exc.query
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again).__name__, str(again), again.errno) == (wanted.__name__, str(caught.value), exc.errno)
    assert isinstance(again, type(exc))


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), own.snowflake_errors("The thing"):
        raise KeyError


def test_secrets_are_masked(canary: str) -> None:
    with pytest.raises(own.SnowflakeError) as caught, own.snowflake_errors("The thing", secrets=[canary]):
        raise sdk.ProgrammingError(msg=f"The value {canary} is refused", errno=1)
    assert canary not in f"{caught.value} {caught.value.__cause__}"


def test_only_what_may_pass_is_transient() -> None:
    assert own.is_transient(own.SnowflakeUnavailable("x"))
    assert not own.is_transient(own.SnowflakeObjectNotFound("x"))
    assert not own.is_transient(KeyError())
