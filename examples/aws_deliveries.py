# ---
# title: Deliveries into a data lake
# description: Check the files of suppliers in S3 before they enter a data lake, by signature and columns.
# icon: truck-ramp-box
# keywords: ["aws", "s3", "secrets manager", "parameter store", "data lake", "quarantine"]
# dependencies: ["prefect-aws", "prefect-integration-tests[aws]"]
# cmd: ["python", "examples/aws_deliveries.py"]
# order: 4
# ---
#
# Suppliers put files into your bucket, each into a folder of its own. These should not enter the data lake unseen: a
# file may be forged, cut short, or in last year's format. This flow looks at each one and moves it, into the lake or
# into quarantine.
#
# - **S3** holds the inbox, the lake and the quarantine.
# - **Secrets Manager** holds the key that a supplier signs with. Keys are replaced now and then, and a file that was
#   signed just before is still good.
# - **Parameter Store** holds the columns that a file must have, so that they change without a deployment.
#
# It needs no account and no network: an S3 store, an emulator of AWS and a Prefect server start with the program, and
# end with it.

import hmac
import os
import urllib.request
from contextlib import suppress
from pathlib import PurePosixPath

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.testing.utilities import prefect_test_harness

from prefect_aws import AwsClientParameters, AwsCredentials, AwsParameter, AwsSecret, S3Bucket
from prefect_aws.errors import AwsObjectNotFound, AwsSecretNotFound
from prefect_integration_tests.backends.aws import MiniStack
from prefect_integration_tests.backends.s3 import SeaweedFS

# ## Who signed it
#
# Beside `north/2026-05-04.csv` lies `north/2026-05-04.csv.sig`, the signature of its bytes. Secrets Manager keeps the
# value before the current one under the label `AWSPREVIOUS`; a supplier whose key was never replaced has none.


def sign(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256").hex().encode()


def is_signed(content: bytes, signature: bytes, supplier: str) -> bool:
    secret = AwsSecret.load(f"{supplier}-signing-key")
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        try:
            key = secret.read_secret(version_stage=stage)
        except AwsSecretNotFound:
            continue
        if hmac.compare_digest(sign(key, content), signature):
            return True
    return False


# ## What is wrong with it
#
# A missing object is an exception of its own, and here an answer rather than a failure. Everything else, such as a
# bucket that refuses us, fails the task: a file that could not be looked at is neither good nor bad.


@task
def find_fault(path: str) -> str | None:
    """Say what is wrong with a file of the inbox, or return None."""
    inbox = S3Bucket.load("inbox")
    content = inbox.read_path(path)
    try:
        signature = inbox.read_path(f"{path}.sig")
    except AwsObjectNotFound:
        return "not signed"
    if not is_signed(content, signature, supplier=PurePosixPath(path).parts[0]):
        return "signature does not fit"
    columns = content.decode(errors="replace").partition("\n")[0].split(",")
    expected = AwsParameter.load("order-columns").read_list()
    if lacking := [column for column in expected if column not in columns]:
        return f"lacks {', '.join(lacking)}"
    return None


# ## Where it goes
#
# S3 copies a file from bucket to bucket, so its bytes do not pass through this machine, and then the original is
# deleted. The file goes before its signature: should the task end between the two, what stays behind is a signature
# without a file, and not a file that cannot be checked any more.
#
# A supplier should see what was refused, without an account at AWS: a presigned URL opens this one object for a day.


def move(path: str, bucket: S3Bucket) -> str:
    inbox = S3Bucket.load("inbox")
    key = inbox.move_object(path, f"orders/{path}", to_bucket=bucket)
    with suppress(AwsObjectNotFound):  # not signed
        inbox.move_object(f"{path}.sig", f"orders/{path}.sig", to_bucket=bucket)
    return key


@task
def accept(path: str) -> str:
    """Move a file into the lake, and return its key there."""
    return move(path, S3Bucket.load("lake"))


@task
def refuse(path: str) -> str:
    """Move a file into quarantine, and return a link to it."""
    quarantine = S3Bucket.load("quarantine")
    key = move(path, quarantine)
    return quarantine.presigned_url(key, expires_in_seconds=24 * 3600)


# ## The flow
#
# The files are checked side by side and moved one after the other. The table stays with the flow run as an artifact.
# The links are for the mail to the suppliers and stay out of it, since whoever has a link can use it.


@flow(log_prints=True)
def receive_deliveries() -> dict[str, str]:
    inbox = S3Bucket.load("inbox")
    keys = [PurePosixPath(item["Key"]) for item in inbox.list_objects()]
    paths = [str(key.relative_to(inbox.bucket_folder)) for key in keys if key.suffix == ".csv"]
    faults = find_fault.map(paths).result()

    links = {}
    for path, fault in zip(paths, faults, strict=True):
        if fault is None:
            accept(path)
        else:
            links[path] = refuse(path)
        print(f"{path}: {fault or 'accepted'}")

    table = [{"file": path, "result": fault or "accepted"} for path, fault in zip(paths, faults, strict=True)]
    create_table_artifact(table, key="deliveries", description="What the suppliers delivered.")
    return links


# ## Save the blocks
#
# This is done once, in a script of its own or in the UI. With an account at AWS, the credentials need no endpoint, and
# one block serves all services; here the S3 store and the emulator of the other services are two servers.


def save_blocks(store: SeaweedFS, emulator: MiniStack) -> None:
    s3, services = (
        AwsCredentials(
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name=server.region,
            aws_client_parameters=AwsClientParameters(endpoint_url=server.endpoint_url),
        )
        for server in (store, emulator)
    )
    deliveries, lake = store.new_bucket("deliveries"), store.new_bucket("lake")
    S3Bucket(bucket_name=deliveries, bucket_folder="inbox", credentials=s3).save("inbox")
    S3Bucket(bucket_name=deliveries, bucket_folder="quarantine", credentials=s3).save("quarantine")
    S3Bucket(bucket_name=lake, credentials=s3).save("lake")
    for supplier in ("north", "south"):
        secret = AwsSecret(secret_name=f"suppliers/{supplier}/signing-key", aws_credentials=services)
        secret.save(f"{supplier}-signing-key")
    columns = AwsParameter(parameter_name="/lake/orders/columns", parameter_type="StringList", aws_credentials=services)
    columns.save("order-columns")
    columns.write_value(["order", "sku", "amount"])


# ## Deliver something
#
# North delivers on three days and gets a new key in between, so two of its files are good and signed with different
# keys; the third comes without a signature. South sends a file in an old format, and one that somebody changed on its
# way.

GOOD = b"order,sku,amount\n1,tea,3\n2,coffee,1\n"
OLD = b"order,article,pieces\n1,tea,3\n"


def deliver() -> None:
    inbox = S3Bucket.load("inbox")
    north, south = (AwsSecret.load(f"{supplier}-signing-key") for supplier in ("north", "south"))

    def put(path: str, content: bytes, signature: bytes | None) -> None:
        inbox.write_path(path, content)
        if signature is not None:
            inbox.write_path(f"{path}.sig", signature)

    north.write_secret(b"key of April")
    put("north/2026-05-04.csv", GOOD, sign(b"key of April", GOOD))
    north.write_secret(b"key of May")
    put("north/2026-05-05.csv", GOOD, sign(b"key of May", GOOD))
    put("north/2026-05-06.csv", GOOD, None)
    south.write_secret(b"key of South")
    put("south/2026-05-04.csv", OLD, sign(b"key of South", OLD))
    put("south/2026-05-05.csv", GOOD.replace(b"3", b"300"), sign(b"key of South", GOOD))


# ## Run it
#
# At the end the program lists what is where, and opens a link as a supplier would, without credentials.


def show(links: dict[str, str]) -> None:
    for name in ("lake", "quarantine", "inbox"):
        keys = [item["Key"] for item in S3Bucket.load(name).list_objects()]
        print(f"\n{name}:", *keys or ["nothing"], sep="\n  ")
    path, link = next(iter(links.items()))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the server is on this machine
    with opener.open(link, timeout=30) as answer:
        print(f"\nThe link to {path} opens {len(answer.read())} bytes.")


if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with (
        SeaweedFS.start() as store,
        MiniStack.start() as emulator,
        prefect_test_harness(server_startup_timeout=120),
    ):
        save_blocks(store, emulator)
        deliver()
        show(receive_deliveries())
