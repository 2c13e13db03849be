"""What the suite of database blocks asks of a package: a block, the dialect of its database, its faces."""

from __future__ import annotations

import inspect
import uuid
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.faces import Call, Face

from .base import Suite

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS: list[tuple[int, str]] = [(number, f"row {number}") for number in range(1, 8)]
"""What `DatabaseBase.filled` puts into a table, in order."""

HOSTILE: list[str | None] = [
    "'; DROP TABLE x; --",
    '"quoted" `and` \\escaped\\',
    "100 %s %(id)s %% :id ? $1 {id}",
    "ünder 🧂\nsecond line",
    "",
    None,
]
"""Values that come back as they are, where parameters are bound."""


class DatabaseBase(Suite):
    """Fixtures and attributes of the suite for database blocks.

    Attributes:
        faces: The faces that the operations have: `fetch_all` and `afetch_all`, or one of the two. An async face is
            `a<name>`, `.aio`, or the name itself where that is a coroutine function.
        context_faces: Whether the block is a context manager, an async one, or both; `faces` by default.
        awaitable_on_a_loop: Whether the name of an operation, called on an event loop, gives something to await.
            Otherwise it gives its result there, too.
        placeholder: How a statement names a parameter.
        columns: Columns of the tables: `id`, a whole number that must be given, and `name`, a text that may be null.
        reset_method: The method after which a fetch executes its statement again.
        starts_again: Whether the fetch behind the one that found the end executes the statement again; if not, the end
            stays the end until a reset.
        reopens: Whether a block works again after `close`.
        binds_null: Whether `None` can be bound like other values.
        takes_no_sets: Whether `execute_many` does nothing without a set of parameters. If not, it refuses that.
        atomic_execute_many: Whether nothing of an `execute_many` stays when one of its sets is refused.
        writes_while_fetching: Whether the database takes a write while a result is open, as SQLite does not by default.
        many_rows: A statement that gives a result of some hundred MB without a table; `None` where there is none.
        streaming: Options of a fetch with which its result is not in memory as a whole, where that has to be said.
        many_rows_limit_bytes: How far memory may rise while the first pages of it are read.
        returning: What comes behind an INSERT so that it gives the id of each row, such as `RETURNING id`; `None` where
            the database has no such thing.
        telling_loggers: Names of loggers of the driver that write values at level DEBUG; they are not listened to.
        refused_seconds: How long it may take until a server that refuses is an error.
        closed_seconds: How long the server may need to see that a connection was closed.
    """

    faces: ClassVar[Sequence[Face]] = ("sync", "async")
    context_faces: ClassVar[Sequence[Face] | None] = None
    awaitable_on_a_loop: ClassVar[bool] = True
    placeholder: ClassVar[str] = ":{name}"
    columns: ClassVar[str] = "id INTEGER NOT NULL, name VARCHAR(200)"
    reset_method: ClassVar[str] = "reset_cursors"
    starts_again: ClassVar[bool] = True
    reopens: ClassVar[bool] = True
    binds_null: ClassVar[bool] = True
    takes_no_sets: ClassVar[bool] = True
    atomic_execute_many: ClassVar[bool] = True
    writes_while_fetching: ClassVar[bool] = True
    many_rows: ClassVar[str | None] = None
    streaming: ClassVar[dict[str, Any]] = {}
    many_rows_limit_bytes: ClassVar[int] = 50 * 2**20
    returning: ClassVar[str | None] = None
    telling_loggers: ClassVar[Sequence[str]] = ()
    refused_seconds: ClassVar[float] = 30.0
    closed_seconds: ClassVar[float] = 10.0

    @pytest.fixture
    @abstractmethod
    def database(self, canary: str) -> Any:
        """A block on a real or emulated service, with `canary` in its secrets where the service takes it.

        It closes the block after the test. A block of async operations only wants an async fixture, of
        `pytest_asyncio`, for that.
        """

    @pytest.fixture
    def refused_database(self, canary: str) -> Any:
        """A block with `canary` in its secrets that its server does not let in; `None` where all are let in."""
        return None

    def names_of_refused(self, database: Any) -> Sequence[str]:
        """Say what an error must name when the server does not let us in, such as host and port.

        Args:
            database: What `refused_database` gives.
        """
        return ()

    @pytest.fixture
    def table(self) -> str:
        """The name of a table that does not exist yet."""
        return f"suite_{uuid.uuid4().hex[:12]}"

    def open_connections(self, database: Any) -> int | None:
        """Ask the server how many connections the block has open; `None` where it cannot tell.

        Args:
            database: The block.
        """
        return None

    @pytest.fixture
    def call(self, face: Face) -> Call:
        """The caller of operations, once for each face that the block has."""
        return Call(face)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run tests for the faces that the block has, rather than for both."""
        if "call" in metafunc.fixturenames:
            metafunc.parametrize("face", self.faces)
        if "context" in metafunc.fixturenames:
            metafunc.parametrize("context", self.faces if self.context_faces is None else self.context_faces)

    @property
    def first(self) -> Call:
        """The first of the faces."""
        return Call(self.faces[0])

    @property
    def last(self) -> Call:
        """The last of the faces, which is the first where there is one."""
        return Call(self.faces[-1])

    def named(self, name: str) -> str:
        """Write the placeholder of a parameter."""
        return self.placeholder.format(name=name)

    def insert(self, table: str) -> str:
        """Write a statement that inserts a row of `id` and `name`."""
        return f"INSERT INTO {table} (id, name) VALUES ({self.named('id')}, {self.named('name')})"

    def select(self, table: str) -> str:
        """Write a query for all rows of a table, in order."""
        return f"SELECT id, name FROM {table} ORDER BY id"

    async def created(self, database: Any, table: str, call: Call) -> None:
        """Create an empty table."""
        await call(database, "execute", f"CREATE TABLE {table} ({self.columns})")

    async def filled(self, database: Any, table: str, call: Call) -> str:
        """Create a table of `ROWS`, and return the query for them."""
        await self.created(database, table, call)
        sets = [{"id": number, "name": name} for number, name in ROWS]
        await call(database, "execute_many", self.insert(table), seq_of_parameters=sets)
        return self.select(table)

    async def count(self, database: Any, table: str, call: Call) -> int:
        """Count the rows of a table as they are now."""
        await self.reset(database, call)
        (row,) = await call(database, "fetch_all", f"SELECT COUNT(*) FROM {table}")
        return int(row[0])

    async def reset(self, database: Any, call: Call) -> None:
        """Let the next fetch execute its statement again."""
        await _finished(database, self.reset_method, call)

    async def close(self, database: Any, call: Call) -> None:
        """Close the block."""
        await _finished(database, "close", call)


async def _finished(database: Any, method: str, call: Call) -> None:
    """Call what waits for nothing in most blocks, and has one face then, which all callers share."""
    if not call.is_async:
        await call(database, method)
        return
    result = getattr(database, f"a{method}", None) or getattr(database, method)
    waited = result()
    if inspect.isawaitable(waited):
        await waited


def plain(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Make plain tuples of the rows of any driver."""
    return [tuple(row) for row in rows]


async def pages(database: Any, query: str, call: Call, sizes: Sequence[int]) -> list[list[tuple[Any, ...]]]:
    """Fetch page by page, with each size in turn, until a page is empty.

    Raises:
        AssertionError: If there is no end.
    """
    found: list[list[tuple[Any, ...]]] = []
    for turn in range(100):
        page = await call(database, "fetch_many", query, size=sizes[turn % len(sizes)])
        if not page:
            return found
        found.append(plain(page))
    raise AssertionError(f"100 pages of {query!r} and no end.")
