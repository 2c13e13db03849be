# ---
# title: Cold stores in Blob Storage
# description: Look through a day's temperatures in Azure Blob Storage, and hand out a link to the report.
# icon: temperature-low
# keywords: ["azure", "blob storage", "folders", "sas", "links"]
# dependencies: ["prefect-azure[blob-storage]", "prefect-integration-tests[azure]"]
# cmd: ["python", "examples/azure_cold_stores.py"]
# order: 8
# ---
#
# Each cold store of a dairy writes its temperatures into a storage container, a folder for each day. This flow looks
# through a day, says which store was too warm, and gives the inspector a link to the report that is good for an hour.
#
# It needs no account and no network: a server of Blob Storage and a Prefect server start with the program, and end with
# it.

import csv
import io
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_azure import AzureBlobStorageContainer, AzureBlobStorageCredentials
from prefect_azure.errors import BlobNotFound
from prefect_integration_tests.backends.azurite import Azurite

LIMIT_CELSIUS = 6.0

# ## Look through one store
#
# A folder comes down as a whole, many files at a time, and brings nothing of the folder `2026-05-04-test` beside it.


@task
def warmest(store: str, day: str) -> float:
    with TemporaryDirectory() as folder:
        AzureBlobStorageContainer.load("readings").download_folder_to_path(f"{store}/{day}", folder)
        rows = [row for file in Path(folder).glob("*.csv") for row in csv.DictReader(io.StringIO(file.read_text()))]
    return max(float(row["celsius"]) for row in rows)


# ## The flow
#
# Stores are looked through side by side. A report that is there already is taken as it is: a missing blob is an
# exception of its own, and here an answer rather than a failure.


@flow(log_prints=True)
def inspect_day(day: str) -> str:
    reports = AzureBlobStorageContainer.load("reports")
    try:
        print(f"There is a report of {len(reports.read_path(f'{day}.txt'))} bytes.")
    except BlobNotFound:
        folders = AzureBlobStorageContainer.load("readings").list_folders()  # such as "readings/north/2026-05-04"
        stores = sorted({folder.split("/")[1] for folder in folders if "/" in folder})
        highest = zip(stores, warmest.map(stores, day).result(), strict=True)
        lines = [f"{store}: {celsius} °C" for store, celsius in highest if celsius > LIMIT_CELSIUS]
        reports.write_path(f"{day}.txt", "\n".join(lines or ["all cold"]).encode())
    return reports.sas_url(f"{day}.txt", expires_in_seconds=3600)


# ## Save the blocks
#
# This is done once, in a script of its own or in the UI. With an account at Azure and a machine that has an identity
# there, `AzureBlobStorageCredentials(account_url="https://ACCOUNT.blob.core.windows.net")` is enough, without a secret.


def save_blocks(storage: Azurite) -> None:
    credentials = AzureBlobStorageCredentials(connection_string=storage.connection_string)
    container = storage.new_container()
    for folder in ("readings", "reports"):
        block = AzureBlobStorageContainer(container_name=container, base_folder=folder, credentials=credentials)
        block.save(folder)


def measure() -> None:
    readings = AzureBlobStorageContainer.load("readings")
    readings.write_path("north/2026-05-04/morning.csv", b"time,celsius\n06:00,3.5\n07:00,7.25\n")
    readings.write_path("north/2026-05-04/evening.csv", b"time,celsius\n18:00,4.0\n")
    readings.write_path("south/2026-05-04/morning.csv", b"time,celsius\n06:00,2.5\n")
    readings.write_path("south/2026-05-04-test/morning.csv", b"time,celsius\n06:00,99\n")  # not of the day


# ## Run it
#
# The second time the report is there, and no reading is looked at. The link needs no login.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with Azurite.start() as storage, prefect_test_harness(server_startup_timeout=120):
        save_blocks(storage)
        measure()
        first, second = inspect_day("2026-05-04"), inspect_day("2026-05-04")
        report = httpx.get(second, trust_env=False).text
        assert httpx.get(first, trust_env=False).text == report
        print(report)
