"""The wheel: extras can be asked for in both spellings, and what is no module comes along, too."""

from __future__ import annotations

import zipfile
from pathlib import Path

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

    def test_notes_for_developers_come_along(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            assert "prefect_dbt.core" in archive.read("prefect_dbt/core/AGENTS.md").decode()
