"""Load jobs: from files of this machine, and from Cloud Storage."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import GcpInvalidRequest
from .configuration import load_configuration
from .jobs import StartedJob
from .queries import REQUEST_SECONDS
from .sdk import BigQueryWrongType, ask, bigquery_sdk, table_reference

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, LoadJob, LoadJobConfig, TableReference


class BigQueryFileNotFound(GcpInvalidRequest, FileNotFoundError):
    """The file to load does not exist. It is a `ValueError`, too."""


def cloud_storage_load(
    client: Client, dataset: str, table: str, uri: Any, schema: Any, job_config: Any, location: str | None
) -> StartedJob:
    """Describe a load from Cloud Storage; nothing is sent.

    Raises:
        GcpInvalidRequest: If an argument does not fit.
    """
    uris: list[Any] = [uri] if isinstance(uri, str) else []
    if isinstance(uri, list | tuple):
        uris = list(cast("list[Any]", uri))
    if not uris or not all(isinstance(item, str) and "://" in item for item in uris):
        raise GcpInvalidRequest(f"uri is {uri!r}; it must look like gs://bucket/key.")
    target = table_reference(client, dataset, table)
    config = load_configuration(job_config, schema)

    def begin(job_id: str) -> LoadJob:
        return ask(
            client,
            "load_table_from_uri",
            uri if isinstance(uri, str) else uris,
            target,
            job_id=job_id,
            location=location,
            job_config=config,
            retry=None,
            timeout=REQUEST_SECONDS,
        )

    return StartedJob(client, "load", begin, _request(target, config, uris), location=location)


def file_load(
    client: Client,
    dataset: str,
    table: str,
    path: str | os.PathLike[str],
    schema: Any,
    job_config: Any,
    rewind: bool,
    size: int | None,
    location: str | None,
) -> StartedJob:
    """Describe a load of a file; nothing is sent.

    Raises:
        GcpInvalidRequest: If an argument does not fit.
        BigQueryFileNotFound: If there is no such file.
    """
    try:
        file = Path(path)
    except TypeError as exc:
        raise BigQueryWrongType(f"path is {type(path).__name__}; give the path of a file.") from exc
    if not file.exists():
        raise BigQueryFileNotFound(f"The file to load, {file}, does not exist.")
    if not file.is_file():
        raise GcpInvalidRequest(f"The file to load, {file}, is no file.")
    if size is not None and (isinstance(size, bool) or size < 0):
        raise GcpInvalidRequest(f"size is {size}; it must be a number of bytes.")
    target = table_reference(client, dataset, table)
    config = load_configuration(job_config, schema)

    def begin(job_id: str) -> LoadJob:
        with file.open("rb") as content:  # anew for each try, from the start
            return ask(
                client,
                "load_table_from_file",
                content,
                target,
                rewind=rewind,
                size=size,
                job_id=job_id,
                location=location,
                job_config=config,
                timeout=REQUEST_SECONDS,
            )

    seen = file.stat()
    return StartedJob(
        client,
        "load",
        begin,
        _request(target, config, [str(file.absolute()), seen.st_size, seen.st_mtime_ns, size]),
        location=location,
    )


def _request(target: TableReference, config: LoadJobConfig, source: list[Any]) -> dict[str, Any]:
    digest = hashlib.sha256(repr(source).encode()).hexdigest()
    parts: list[Any] = [target, config]
    return {"request": [part.to_api_repr() for part in parts], "source": digest}


@functools.cache
def _detached_class() -> Any:
    cls: Any = bigquery_sdk().LoadJob

    def reduce(job: Any) -> tuple[Any, ...]:
        return _from_resource, (_resource(job),)

    return type(cls.__name__, (cls,), {"__reduce__": reduce, "__module__": cls.__module__, "__doc__": cls.__doc__})


def _resource(job: Any) -> dict[str, Any]:
    # `to_api_repr` is for requests: it leaves state and statistics out.
    members = cast("dict[str, Any]", vars(job))
    return copy.deepcopy(members["_properties"])


def _from_resource(resource: dict[str, Any]) -> LoadJob:
    return _detached_class().from_api_repr(resource, client=None)


def detached(job: LoadJob) -> LoadJob:
    """Copy a job that has ended without its client, so that it can be stored as a result.

    What it says (`job_id`, `output_rows`, `state`, `errors`) stays; methods that send requests take a client.
    """
    if not isinstance(job, bigquery_sdk().LoadJob):
        return job  # a stub that a test gives in place of the SDK's
    return _from_resource(_resource(job))
