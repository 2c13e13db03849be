"""Doubles of a database block, on SQLite, each of which breaks the contract in one way."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from typing import Any

from prefect.context import TaskRunContext
from pydantic import PrivateAttr

from prefect_integration_kit.sql import Cursors, Statement

from ._databases import ClosesForGood, Double, SqliteError


class GivesDictionaries(Double):
    def _fetch_all(self, operation, parameters):
        return [{"id": number, "name": name} for number, name in super()._fetch_all(operation, parameters)]


class RepeatsARow(Double):
    """Each page but the first begins with the row that ended the one before."""

    _kept: Any = PrivateAttr(default=None)

    def _fetch_many(self, operation, parameters, size):
        rows = super()._fetch_many(operation, parameters, size)
        again, self._kept = self._kept, rows[-1:]
        return [*(again or []), *rows][:size]


class HalfPages(Double):
    def _fetch_many(self, operation, parameters, size):
        return super()._fetch_many(operation, parameters, (size + 1) // 2)


class OneFromTheStart(Double):
    def _fetch_one(self, operation, parameters):
        self._cursors.reset()
        return super()._fetch_one(operation, parameters)


class FacesApart(Double):
    _others: Any = PrivateAttr(default=None)

    async def afetch_many(self, operation, parameters=None, size=None):
        self._others = self._others or Cursors(self._open)
        return self._others.fetch(Statement(operation, parameters), size)


class ZeroIsNothing(Double):
    def _fetch_many(self, operation, parameters, size):
        return [] if size == 0 else super()._fetch_many(operation, parameters, size)


class TakesAnySize(Double):
    def _fetch_many(self, operation, parameters, size):
        return self._cursors.fetch(Statement(operation, parameters), max(size, 1))


class OneResultForAllParameters(Double):
    def _fetch_one(self, operation, parameters):
        return self._cursors.fetch_one(_SameKey(operation, parameters))


class _SameKey(Statement):
    def key(self):
        return self.operation


class NoneIsATuple(Double):
    def _fetch_one(self, operation, parameters):
        return super()._fetch_one(operation, parameters) or ()


class NoEnd(Double):
    def _fetch_many(self, operation, parameters, size):
        rows = super()._fetch_many(operation, parameters, size)
        if not rows:
            self._cursors.reset()
            rows = super()._fetch_many(operation, parameters, size)
        return rows


class NeverResets(Double):
    def reset_cursors(self):
        """Forget to."""


class FetchesTwice(Double):
    """Not safe for threads: who comes second executes again."""

    def _fetch_one(self, operation, parameters):
        found = Cursors(self._open).fetch_one(Statement(operation, parameters))
        return found if self._cursors.fetch_one(Statement(operation, parameters)) is not None else None


class Mixes(Double):
    _parameters: Any = PrivateAttr(default=None)

    def _fetch_all(self, operation, parameters):
        self._parameters = parameters
        time.sleep(0.01)
        return super()._fetch_all(operation, self._parameters)


class ReadsAll(Double):
    def _open(self, statement, stop):
        rows = super()._open(statement, stop)
        rows.written = rows.cursor.fetchall()
        return rows


class Nameless(Double):
    def _open(self, statement, stop):
        try:
            return super()._open(statement, stop)
        except SqliteError:
            raise SqliteError("Failed.") from None


class ExecutesOnce(Double):
    _done: Any = PrivateAttr(default=())

    def _write(self, operation, sets):
        if (operation, sets) not in self._done:
            self._done = (*self._done, (operation, sets))
            super()._write(operation, sets)


class NeedsASet(Double):
    def _write(self, operation, sets):
        super()._write(operation, sets or [{}])


class WritesValuesIntoSql(Double):
    def _write(self, operation, sets):
        for parameters in sets:
            text = operation
            for name, value in (parameters or {}).items():
                text = text.replace(f":{name}", f"'{value}'")
            super()._write(text, [None])


class NotCommitted(Double):
    """What it writes is where no other connection sees it."""

    _own: Any = PrivateAttr(default=None)

    def block_initialization(self):
        super().block_initialization()
        self._own = None

    def _connect(self):
        url = f"file:own{id(self)}?mode=memory&cache=shared"
        self._own = self._own or sqlite3.connect(url, uri=True)
        return sqlite3.connect(url, uri=True, check_same_thread=False)


class RollsFetchesBack(Double):
    def _open(self, statement, stop):
        connection = self._connect()
        rows = connection.execute(statement.operation, statement.parameters or {}).fetchall()
        connection.rollback()
        connection.close()
        return _Read(rows)


class _Read:
    def __init__(self, rows):
        self.rows = rows

    def read(self, size):
        rows, self.rows = self.rows, []
        return rows

    def close(self):
        """Nothing to close."""


class BreaksOnce(Double):
    """As a session whose transaction failed and is not rolled back."""

    _is_broken: bool = PrivateAttr(default=False)

    def _write(self, operation, sets):
        if self._is_broken:
            raise SqliteError("The transaction is aborted.")
        try:
            super()._write(operation, sets)
        except SqliteError:
            self._is_broken = True
            raise


class CommitsEach(Double):
    def _write(self, operation, sets):
        for parameters in sets:
            super()._write(operation, [parameters])


class SwallowsFailures(Double):
    def _write(self, operation, sets):
        with contextlib.suppress(SqliteError):
            super()._write(operation, sets)


class FillsIn(Double):
    def _write(self, operation, sets):
        super()._write(operation, [{"name": None, **(parameters or {})} for parameters in sets])


class TellsPassword(Double):
    def _connect(self):
        logging.getLogger("x").debug("login with %s", self.password.get_secret_value())
        return super()._connect()


class TellsValues(Double):
    def _write(self, operation, sets):
        try:
            super()._write(operation, sets)
        except SqliteError as exc:
            raise SqliteError(f"{exc} with {sets}") from None


class RefusesNameless(Double):
    def _connect(self):
        raise SqliteError("The password is wrong.")


class RefusesWithPassword(Double):
    def _connect(self):
        raise SqliteError(f"{self.path}: {self.password.get_secret_value()!r} is wrong.")


class NoPickle(SqliteError):
    def __init__(self, path, text):
        super().__init__(f"{path}: {text}")


class RefusesOddly(Double):
    def _connect(self):
        raise NoPickle(self.path, "no")


class ClosesOnce(Double):
    _is_closed: bool = PrivateAttr(default=False)

    def _close(self):
        if self._is_closed:
            raise SqliteError("It is closed.")
        super()._close()
        self._is_closed = True


class LeavesOpen(Double):
    """Results stay open when the block is closed."""

    _left: Any = PrivateAttr(default=())

    def _close(self):
        self._left = (*self._left, self._cursors)
        self._cursors = Cursors(self._open)


class GoesOnAfterClose(Double):
    def _close(self):
        """Keep everything."""


class ClosedInSilence(ClosesForGood):
    def _connect(self):
        if self._is_closed:
            raise SqliteError("None has no attribute 'cursor'.")
        return super()._connect()


class ContextStaysOpen(Double):
    def __exit__(self, *args):
        """Forget to."""

    async def __aexit__(self, *args):
        """Forget to."""


class HidesErrors(Double):
    def __exit__(self, *args):
        self._close()
        return True


class SmallPool(Double):
    """A failure does not give its connection back."""

    _left: Any = PrivateAttr(default=5)

    def _write(self, operation, sets):
        if not self._left:
            raise SqliteError("Too many connections.")
        self._left -= 1
        super()._write(operation, sets)
        self._left += 1


class SharesCursors(Double):
    def __copy__(self):
        copied = super().__copy__()
        copied._cursors = self._cursors
        return copied


class DoesNotTravel(Double):
    def __getstate__(self):
        raise TypeError("cannot pickle '_thread.lock' object")


class NotInFlows(Double):
    def _write(self, operation, sets):
        if TaskRunContext.get() is not None:
            raise RuntimeError("There is no current event loop.")
        super()._write(operation, sets)


class BlocksTheLoop(Double):
    async def afetch_all(self, operation, parameters=None):
        time.sleep(0.08)
        return self._fetch_all(operation, parameters)
