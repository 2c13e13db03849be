"""The suite of database blocks: a double on SQLite passes, in each kind of face, and each broken one is found."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from prefect_integration_tests.faces import Call
from prefect_integration_tests.suites import DatabaseSuite

from . import _broken_databases as broken
from ._databases import ClosesForGood, Double, StartsAgain, SyncOnly

FAILURES = (Exception, pytest.fail.Exception)
_BIG = (
    "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 400000) "
    "SELECT id, printf('%.500c', 'x') FROM n"
)


def connections_to(path: str) -> int:
    """Count this process's connections to a database, which are its open files."""
    return sum(link == path for link in _links())


def _links() -> list[str]:
    found: list[str] = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(entry.readlink()))
    return found


class OnSqlite(DatabaseSuite):
    """What the suite is given in all the classes below."""

    starts_again = False
    many_rows = _BIG
    returning = "RETURNING id"
    double: ClassVar[type[Double]] = Double

    @pytest.fixture
    def database(self, canary, tmp_path):
        with self.double(path=str(tmp_path / "suite.db"), password=canary) as block:
            yield block

    @pytest.fixture
    def refused_database(self, canary, tmp_path):
        return self.double(path=str(tmp_path / "refused.db"), password=canary, refuses=True)

    def names_of_refused(self, database):
        return ("refused.db",)

    def open_connections(self, database):
        return connections_to(database.path) if Path("/proc/self/fd").exists() else None


class TestBothFaces(OnSqlite):
    pass


class TestSyncOnly(OnSqlite):
    double = StartsAgain
    faces = ("sync",)
    context_faces = ("sync", "async")
    awaitable_on_a_loop = False
    starts_again = True


class TestAsyncOnly(OnSqlite):
    double = ClosesForGood
    faces = ("async",)
    reopens = False
    atomic_execute_many = False
    returning = None
    many_rows = None

    @pytest_asyncio.fixture
    async def database(self, canary, tmp_path):
        async with self.double(path=str(tmp_path / "suite.db"), password=canary) as block:
            yield block


def test_tests_run_for_the_faces_of_the_block(pytester: pytest.Pytester) -> None:
    """Neither face is skipped: a test of a face that the block does not have is not there."""
    pytester.makepyfile(
        """
        import pytest
        from prefect_integration_tests.suites import DatabaseSuite

        class TestAsync(DatabaseSuite):
            faces = ("async",)
            context_faces = ("sync", "async")

            @pytest.fixture
            def database(self):
                return None
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--collect-only", "-q", "-W", "ignore")
    names = [line.rpartition("::")[2] for line in result.outlines if "::" in line]
    assert "test_a_reset_executes_again[async]" in names
    assert "test_a_reset_executes_again[sync]" not in names
    assert "test_leaving_the_context_closes[sync]" in names


BROKEN: list[tuple[str, type[Double], dict[str, Any]]] = [
    ("test_what_is_executed_is_fetched", broken.GivesDictionaries, {}),
    ("test_pages_partition_the_result", broken.RepeatsARow, {}),
    ("test_pages_partition_the_result", broken.HalfPages, {}),
    ("test_fetches_go_on_where_the_last_one_stopped", broken.OneFromTheStart, {}),
    ("test_the_faces_take_from_one_result", broken.FacesApart, {}),
    ("test_a_page_has_the_size_of_the_block", broken.ZeroIsNothing, {}),
    ("test_a_negative_size_is_refused", broken.TakesAnySize, {}),
    ("test_other_parameters_are_another_result", broken.OneResultForAllParameters, {}),
    ("test_nothing_is_the_end", broken.NoneIsATuple, {}),
    ("test_the_end_is_told_and_then_it_starts_again", broken.NoEnd, {}),
    ("test_the_end_is_told_and_then_it_starts_again", Double, {"starts_again": True}),
    ("test_the_end_is_told_and_then_it_starts_again", StartsAgain, {}),
    ("test_a_reset_executes_again", broken.NeverResets, {}),
    ("test_fetches_at_the_same_time_share_the_rows", broken.FetchesTwice, {}),
    ("test_statements_at_the_same_time_do_not_mix", broken.Mixes, {}),
    ("test_memory_is_bounded", broken.ReadsAll, {}),
    ("test_a_missing_table_is_named", broken.Nameless, {}),
    ("test_each_call_executes", broken.ExecutesOnce, {}),
    ("test_each_set_of_parameters_executes_once", broken.NeedsASet, {}),
    ("test_each_set_of_parameters_executes_once", Double, {"takes_no_sets": False}),
    ("test_values_are_bound", broken.WritesValuesIntoSql, {}),
    ("test_what_is_executed_is_kept", broken.NotCommitted, {}),
    ("test_a_write_that_gives_rows_is_kept", broken.RollsFetchesBack, {}),
    ("test_a_failure_leaves_nothing_behind", broken.BreaksOnce, {}),
    ("test_sets_of_parameters_are_kept_together", broken.CommitsEach, {}),
    ("test_sets_of_parameters_are_kept_together", broken.SwallowsFailures, {"atomic_execute_many": False}),
    ("test_a_statement_without_its_value_is_an_error", broken.FillsIn, {}),
    ("test_secrets_are_not_said", broken.TellsPassword, {}),
    ("test_values_are_not_said", broken.TellsValues, {}),
    ("test_a_server_that_refuses_is_named", broken.RefusesNameless, {}),
    ("test_a_server_that_refuses_is_named", broken.RefusesWithPassword, {}),
    ("test_a_server_that_refuses_is_named", broken.RefusesOddly, {}),
    ("test_a_server_that_refuses_is_named", Double, {"refused_seconds": -1}),
    ("test_close_can_be_called_again", broken.ClosesOnce, {}),
    ("test_close_can_be_called_again", broken.LeavesOpen, {"closed_seconds": 0.1}),
    ("test_a_closed_block_starts_anew_or_says_so", broken.GoesOnAfterClose, {}),
    ("test_a_closed_block_starts_anew_or_says_so", broken.ClosedInSilence, {"reopens": False, "faces": ("async",)}),
    ("test_leaving_the_context_closes", broken.ContextStaysOpen, {"closed_seconds": 0.1}),
    ("test_leaving_the_context_does_not_hide_an_error", broken.HidesErrors, {}),
    ("test_nothing_stays_open_without_a_context", broken.SmallPool, {}),
    ("test_copies_have_results_of_their_own", broken.SharesCursors, {}),
    ("test_copies_have_results_of_their_own", broken.DoesNotTravel, {}),
    ("test_it_works_in_a_flow_and_its_tasks", broken.NotInFlows, {}),
    ("test_names_on_a_loop_do_what_the_block_says", SyncOnly, {}),
    ("test_the_event_loop_is_free_meanwhile", broken.BlocksTheLoop, {}),
]


@pytest.mark.parametrize(
    ("name", "double", "attributes"), BROKEN, ids=[f"{name[5:]}-{double.__name__}" for name, double, _ in BROKEN]
)
async def test_a_broken_database_is_found_out(
    name, double, attributes, run_suite_test, canary, tmp_path, prefect_harness
) -> None:
    suite = TestBothFaces()
    for attribute, value in attributes.items():
        setattr(suite, attribute, value)
    face = suite.faces[0]
    with pytest.raises(FAILURES) as caught:
        await run_suite_test(
            suite,
            name,
            database=double(path=str(tmp_path / "suite.db"), password=canary),
            refused_database=double(path=str(tmp_path / "refused.db"), password=canary, refuses=True),
            table="suite_1",
            canary=canary,
            call=Call(face),
            context=face,
            sizes=(2, 1, 3),
        )
    assert not isinstance(caught.value, pytest.skip.Exception)


def test_every_test_of_the_database_suite_has_a_double_that_fails_it(tests_of) -> None:
    assert tests_of(DatabaseSuite) == {name for name, *_ in BROKEN}
