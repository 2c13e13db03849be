# ---
# title: A ledger in Cloud Storage
# description: Add up the invoices of a month in Google Cloud Storage, and keep the sums beside them.
# icon: scale-balanced
# keywords: ["gcp", "google cloud", "cloud storage", "secret manager", "folders", "sync"]
# dependencies: ["prefect-gcp", "prefect-integration-tests[gcp]"]
# cmd: ["python", "examples/gcs_ledger.py"]
# order: 7
# ---
#
# Shops put their invoices into a bucket, each into a folder of its own. Every month somebody adds them up. This flow
# does, and writes the sums back, so that the next month needs the new invoices only.
#
# It needs no account and no network: a server of Cloud Storage, Google's token service and a Prefect server start with
# the program, and end with it.

import csv
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_gcp import GcpCredentials, GcsBucket
from prefect_gcp.errors import GcpObjectNotFound
from prefect_integration_tests.backends.gcs import FakeGcs
from prefect_integration_tests.backends.google_identity import GoogleIdentity

# ## Add up one shop
#
# A folder comes down as a whole, many files at a time. A sum that is there already is taken as it is: a missing object
# is an exception of its own, and here an answer rather than a failure.


@task
def add_up(shop: str, month: str) -> float:
    ledger = GcsBucket.load("ledger")
    try:
        return float(ledger.read_path(f"{shop}/{month}.sum"))
    except GcpObjectNotFound:
        pass
    total = 0.0
    with TemporaryDirectory() as folder:
        GcsBucket.load("invoices").download_folder_to_path(f"{shop}/{month}", folder)
        for file in Path(folder).glob("*.csv"):
            total += sum(float(row["amount"]) for row in csv.DictReader(io.StringIO(file.read_text())))
    ledger.write_path(f"{shop}/{month}.sum", f"{total:.2f}".encode())
    return total


# ## The flow
#
# Shops are added up side by side.


@flow(log_prints=True)
def close_month(month: str) -> dict[str, float]:
    folders = GcsBucket.load("invoices").list_folders()  # such as "invoices/north/2026-05"
    shops = sorted({folder.split("/")[1] for folder in folders if "/" in folder})
    sums = dict(zip(shops, add_up.map(shops, month).result(), strict=True))
    for shop, total in sums.items():
        print(f"{shop}: {total:.2f} EUR")
    return sums


# ## Save the blocks
#
# This is done once, in a script of its own or in the UI. With an account at Google Cloud the credentials need no
# `api_endpoints`: on a machine of Google's, `GcpCredentials()` is enough.


def save_blocks(storage: FakeGcs, identity: GoogleIdentity) -> None:
    credentials = GcpCredentials(
        service_account_info=identity.service_account_info(), api_endpoints={"storage": storage.endpoint}
    )
    bucket = storage.new_bucket()
    for folder in ("invoices", "ledger"):
        GcsBucket(bucket=bucket, bucket_folder=folder, gcp_credentials=credentials).save(folder)


def deliver() -> None:
    invoices = GcsBucket.load("invoices")
    invoices.write_path("north/2026-05/1.csv", b"article,amount\ntea,120\ncoffee,80\n")
    invoices.write_path("north/2026-05/2.csv", b"article,amount\ntea,60\n")
    invoices.write_path("south/2026-05/1.csv", b"article,amount\nmilk,35.50\n")
    invoices.write_path("south/2026-05-draft/1.csv", b"article,amount\nmilk,9999\n")  # not of the month


# ## Run it
#
# The second time the sums are there, and no invoice is read.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with (
        FakeGcs.start() as storage,
        GoogleIdentity() as identity,
        prefect_test_harness(server_startup_timeout=120),
    ):
        save_blocks(storage, identity)
        deliver()
        first = close_month("2026-05")
        assert first == close_month("2026-05")
        print(first)
