"""Conformance suites and local backends for Prefect integrations.

A package inherits a suite from `prefect_integration_tests.suites` and gives it a fixture; the
plugin (`prefect_integration_tests.plugin`, which pytest loads by itself) brings the fixtures that
all suites use.
"""

import pytest

# Must come before the suites are imported: their bare `assert` statements then explain themselves.
pytest.register_assert_rewrite(
    "prefect_integration_tests.suites",
    "prefect_integration_tests.checks",
    "prefect_integration_tests.leaks",
)
