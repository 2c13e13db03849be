# ---
# title: Payments that are booked once
# description: Book a bank's payment files in a SQL database, each as a whole and only once, and print the accounts.
# icon: money-bill-transfer
# keywords: ["sql", "sqlalchemy", "sqlite", "postgresql", "transaction", "savepoint", "bulk insert"]
# dependencies: ["prefect-sqlalchemy", "aiosqlite"]
# cmd: ["python", "examples/sqlalchemy_payments.py"]
# order: 11
# ---
#
# A savings club gets files of payments from its bank. A payment takes from one account and gives to another, so half of
# one must never be seen. A payment that would overdraw an account is put aside, and the others of its file are booked.
# And when a run ends in the middle of a file, the next one must book all of it, once.
#
# It needs no account and no network: the database is a file of SQLite, and a temporary Prefect server starts with the
# program. With PostgreSQL or MariaDB only the driver of the saved blocks is another.

import asyncio
import csv
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.testing.utilities import prefect_test_harness

from prefect_sqlalchemy import (
    AsyncDriver,
    AsyncSqlAlchemyConnector,
    ConnectionComponents,
    SqlAlchemyConnector,
    SyncDriver,
)
from prefect_sqlalchemy.errors import DatabaseConstraintViolated

# ## Open the accounts
#
# The database itself knows what must hold: no account is below zero, and no payment is there twice. `insert_many` sends
# rows in bulk, and quotes what it is given as names.

MEMBERS = [{"name": name, "balance": 100} for name in ("Ada", "Bo", "Cem", "Dina")]


@flow
def open_accounts() -> None:
    with SqlAlchemyConnector.load("books") as books:
        books.execute("CREATE TABLE accounts (name VARCHAR(50) PRIMARY KEY, balance INTEGER CHECK (balance >= 0))")
        books.execute(
            "CREATE TABLE payments (id VARCHAR(20) PRIMARY KEY, payer VARCHAR(50), payee VARCHAR(50), amount INTEGER)"
        )
        books.insert_many("accounts", MEMBERS)


# ## Book a file
#
# The file is one transaction: it is committed at the end of the `with` block, and rolled back when anything is raised
# within. Each payment is a savepoint, so that one that is refused leaves no trace, and the others stay. Values are
# bound, never written into a statement.
#
# The first attempt at a file breaks off after three payments here, as if the power had failed. The task's retry finds
# the books as they were.

_broken_off: set[str] = set()


@task(retries=1)
def book(file: Path) -> list[str]:
    """Book the payments of a file, and return those that were refused."""
    refused: list[str] = []
    with file.open(newline="") as lines, SqlAlchemyConnector.load("books") as books, books.transaction() as everything:
        for number, line in enumerate(csv.DictReader(lines)):
            payment = {**line, "amount": int(line["amount"])}
            if number == 3 and file.name not in _broken_off:
                _broken_off.add(file.name)
                raise RuntimeError("The power failed.")
            if everything.fetch_one("SELECT id FROM payments WHERE id = :id", {"id": payment["id"]}) is not None:
                continue  # the bank sent it before
            try:
                with everything.savepoint():
                    everything.insert_many("payments", [payment])
                    everything.execute("UPDATE accounts SET balance = balance + :amount WHERE name = :payee", payment)
                    everything.execute("UPDATE accounts SET balance = balance - :amount WHERE name = :payer", payment)
            except DatabaseConstraintViolated:
                refused.append(payment["id"])
    return refused


# ## Print the accounts
#
# The report is an async flow, and reads by an async driver: the statements of all members at the same time. Each fetch
# with the same statement goes on where the last one stopped, so a large result is never in memory as a whole.


async def statement_of(books: AsyncSqlAlchemyConnector, member: str) -> dict[str, Any]:
    query = "SELECT payer, amount FROM payments WHERE payer = :member OR payee = :member ORDER BY id"
    given = taken = 0
    while rows := await books.fetch_many(query, parameters={"member": member}, size=2):
        for payer, amount in rows:
            given, taken = (given + amount, taken) if payer == member else (given, taken + amount)
    account = await books.fetch_one("SELECT balance FROM accounts WHERE name = :member", {"member": member})
    assert account is not None
    return {"member": member, "took": taken, "gave": given, "balance": account[0]}


@flow
async def report() -> list[dict[str, Any]]:
    async with await AsyncSqlAlchemyConnector.aload("books") as books:
        members = await books.fetch_all("SELECT name FROM accounts ORDER BY name")
        statements = await asyncio.gather(*(statement_of(books, name) for (name,) in members))
    await create_table_artifact(statements, key="accounts")
    return statements


@flow
def evening(folder: Path) -> dict[str, list[str]]:
    return {file.name: book(file) for file in sorted(folder.glob("*.csv"))}


# ## Save the blocks
#
# This is done once, in a script of its own or in the UI. A server's block has `username`, `password` and `host`, too,
# and is stored encrypted.


def save_blocks(file: Path) -> None:
    SqlAlchemyConnector(
        connection_info=ConnectionComponents(driver=SyncDriver.SQLITE_PYSQLITE, database=str(file))
    ).save("books")
    AsyncSqlAlchemyConnector(
        connection_info=ConnectionComponents(driver=AsyncDriver.SQLITE_AIOSQLITE, database=str(file))
    ).save("books")


def deliver(folder: Path) -> None:
    head = "id,payer,payee,amount\n"
    monday = ["p1,Ada,Bo,30", "p2,Bo,Cem,120", "p3,Cem,Ada,5", "p4,Dina,Ada,500", "p5,Dina,Bo,10"]
    tuesday = ["p5,Dina,Bo,10", "p6,Bo,Dina,1", "p7,Ada,Cem,20", "p8,Cem,Bo,15"]  # p5 again
    folder.joinpath("1-monday.csv").write_text(head + "\n".join(monday) + "\n")
    folder.joinpath("2-tuesday.csv").write_text(head + "\n".join(tuesday) + "\n")


# ## Run it
#
# `p4` is more than Dina has. Everything else is booked once, whatever broke off, and no money was lost.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # nobody is told of a temporary server
    with TemporaryDirectory() as name, prefect_test_harness(server_startup_timeout=120):
        folder = Path(name)
        save_blocks(folder / "books.db")
        deliver(folder)
        open_accounts()
        assert evening(folder) == {"1-monday.csv": ["p4"], "2-tuesday.csv": []}
        statements = asyncio.run(report())
        for each in statements:
            print("{member:5} took {took:4}  gave {gave:4}  has {balance:4}".format(**each))
        assert sum(each["balance"] for each in statements) == sum(member["balance"] for member in MEMBERS)
