"""Whatever dbt raises becomes an error of ours, which says what dbt said, and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_dbt.errors import (
    DbtAdapterMissing,
    DbtCompilationError,
    DbtDatabaseUnreachable,
    DbtError,
    DbtInvocationFailed,
    DbtManifestError,
    DbtProfileError,
    DbtProjectError,
    DbtStateError,
    DbtTimeout,
    DbtUsageError,
    error_of,
)

# Names and messages as dbt 1.11 raises them; what it does with real projects is tried in test_bad_input.
SAID = {
    "a name for each kind of YAML": (
        "YamlLoadError",
        "Parsing Error\n  Error reading shop: s.yml - Runtime Error\n    Syntax error near line 2",
        DbtProjectError,
        "Correct the YAML of this file.",
    ),
    "a message decides before the name": (
        "DbtProjectError",
        "Runtime Error\n  Could not find profile named 'shop'",
        DbtProfileError,
        "profiles_dir",
    ),
    "an adapter that cannot be imported": (
        "ModuleNotFoundError",
        "No module named 'dbt.adapters.oracle'",
        DbtAdapterMissing,
        "pip install dbt-oracle",
    ),
    "a class that is not known, by its message": (
        "TargetIsOddError",
        "Compilation Error in model a (models/a.sql)\n  it is odd",
        DbtCompilationError,
        "Correct the file",
    ),
    "nothing that is known": ("RecursionError", "maximum recursion depth exceeded", DbtInvocationFailed, "exceeded."),
    "a host that has no address": (
        "DbtDatabaseError",
        'Database Error\n  could not translate host name "db" to address: Name or service not known',
        DbtDatabaseUnreachable,
        "Check host, port and login",
    ),
    "a hub of packages that is away": (
        "ConnectionError",
        "External connection exception occurred: HTTPConnectionPool(host='hub', port=80): Connection refused",
        DbtInvocationFailed,
        "DBT_PACKAGE_HUB_URL",
    ),
    "a hub whose certificate is not trusted": (
        "ConnectionError",
        "External connection exception occurred: SSLError('CERTIFICATE_VERIFY_FAILED')",
        DbtInvocationFailed,
        "REQUESTS_CA_BUNDLE",
    ),
    "a database whose certificate is not trusted": (
        "DbtDatabaseError",
        'Database Error\n  connection to server at "db", port 5432 failed: SSL error: certificate verify failed',
        DbtDatabaseUnreachable,
        "sslrootcert",
    ),
    "a full disk": ("OSError", "[Errno 28] No space left on device", DbtInvocationFailed, "Make room"),
    "a selector that is not defined": (
        "DbtRuntimeError",
        "Runtime Error\n  Could not find selector named nope, expected one of []",
        DbtUsageError,
        "selectors.yml",
    ),
    "deferral to nothing": (
        "DbtRuntimeError",
        "Runtime Error\n  --state or --defer-state are required for deferral, but neither was provided",
        DbtStateError,
        "manifest.json",
    ),
    "a manifest that is none": (
        "DbtRuntimeError",
        'Runtime Error\n  Could not read WritableManifest at "m.json" as JSON: Expecting value',
        DbtManifestError,
        "dbt parse",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_the_most_specific_class_is_found_and_the_remedy_is_named(case: str) -> None:
    name, message, cls, remedy = SAID[case]
    error = error_of(name, message, command="build")
    assert type(error) is cls
    assert str(error).startswith(f"dbt build failed: {message}")
    assert remedy in str(error)


@given(name=st.text(), message=st.text(), command=st.text())
def test_any_exception_of_dbt_becomes_an_error(name: str, message: str, command: str) -> None:
    error = error_of(name, message, command=command)
    assert isinstance(error, DbtError)
    assert isinstance(error, ValueError)


def test_what_dbt_quotes_of_a_profile_is_left_out() -> None:
    message = (
        "Runtime Error\n  dbt encountered an error while trying to read your profiles.yml file.\n"
        "    Syntax error near line 2\n    1  | shop:\n    2  |   password: s3cr3t\n    Raw Error: expected ','"
    )
    error = error_of("DbtValidationError", message, command="build")
    assert "s3cr3t" not in str(error)
    assert "Raw Error" in str(error)


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(DbtAdapterMissing, ImportError)
    assert issubclass(DbtDatabaseUnreachable, ConnectionError)
    assert issubclass(DbtTimeout, TimeoutError)
