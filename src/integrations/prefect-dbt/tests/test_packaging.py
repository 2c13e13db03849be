"""Extras can be asked for in both spellings, also by installers that do not normalise names."""

from __future__ import annotations

from prefect_integration_tests.suites import ExtrasSuite

_BIGQUERY = frozenset({"dbt-bigquery", "prefect-gcp"})
_POSTGRES = frozenset({"dbt-postgres", "prefect-sqlalchemy"})
_SNOWFLAKE = frozenset({"dbt-snowflake", "prefect-snowflake"})


class TestExtras(ExtrasSuite):
    extras = {  # noqa: RUF012 - a constant of the suite
        "all_extras": _BIGQUERY | _POSTGRES | _SNOWFLAKE,
        "bigquery": _BIGQUERY,
        "postgres": _POSTGRES,
        "snowflake": _SNOWFLAKE,
    }
