"""Call any endpoint of Databricks's REST API.

The tasks in `prefect_databricks.jobs` are calls of `execute_endpoint`; what they do not cover is called with it alone.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from prefect_integration_kit.dispatch import async_task

from ._http import send

if TYPE_CHECKING:
    import httpx

    from .credentials import DatabricksCredentials

__all__ = ["HTTPMethod", "execute_endpoint", "serialize_model", "strip_kwargs"]


class HTTPMethod(enum.Enum):
    """Available HTTP request methods."""

    GET = "get"
    POST = "post"
    PUT = "put"
    DELETE = "delete"
    PATCH = "patch"


def serialize_model(obj: Any) -> Any:
    """Turn models into what JSON has, however deep they are.

    Args:
        obj: A model, or lists and dictionaries that hold some, or anything else.

    Returns:
        The same with dictionaries in the place of models; what is none and holds none is returned as it is. Members of
        enumerations that a model holds become their values.
    """
    if isinstance(obj, BaseModel):
        # By dump and not field by field: the models may hold roots and enumerations.
        return serialize_model(obj.model_dump(mode="json", by_alias=True))
    if isinstance(obj, dict):
        members = cast("dict[Any, Any]", obj)
        return {key: serialize_model(value) for key, value in members.items()}
    if isinstance(obj, list | tuple):
        return [serialize_model(value) for value in cast("list[Any]", obj)]
    if isinstance(obj, enum.Enum):
        return obj.value
    return obj


def strip_kwargs(**kwargs: Any) -> dict[str, Any]:
    """Leave out what is `None`, in dictionaries however deep, and turn models into dictionaries.

    Args:
        kwargs: What a request is made of.

    Returns:
        The rest, as JSON has it. What is false but not `None`, such as 0 and empty lists, stays.
    """
    return cast("dict[str, Any]", _stripped(serialize_model(kwargs)))


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        return {key: _stripped(member) for key, member in members.items() if member is not None}
    if isinstance(value, list):
        return [_stripped(member) for member in cast("list[Any]", value)]
    return value


@async_task()
async def execute_endpoint(
    endpoint: str,
    databricks_credentials: DatabricksCredentials,
    http_method: HTTPMethod = HTTPMethod.GET,
    params: dict[str, Any] | None = None,
    json: dict[str, Any] | None = None,
    **kwargs: Any,
) -> httpx.Response:
    """Call an endpoint of the REST API.

    A sync flow may call it without `await`. A request that fails for a reason that passes (429, 5xx, lost connections)
    is repeated for `PREFECT_INTEGRATIONS_DATABRICKS_RETRY_SECONDS`; a POST or PATCH is, when it is safe to do it twice
    (it has an `idempotency_token`, or ends in the same state), or certainly did nothing.

    Args:
        endpoint: What follows `/api` in the address of the endpoint, such as `/2.2/jobs/list`.
        databricks_credentials: Credentials to authenticate with.
        http_method: Method of the request; its name, such as `"post"`, does as well.
        params: Query parameters; those that are `None` are left out.
        json: Body, to be sent as JSON; models become dictionaries, and what is `None` is left out.
        kwargs: Further arguments of
            [`httpx.AsyncClient.request`](https://www.python-httpx.org/api/#asyncclient), such as `headers`.

    Returns:
        The answer, whatever its status. Its `request` has no `Authorization` header.

    Raises:
        DatabricksUnavailable: If there was no answer.
        DatabricksCredentialsError: If there is no token to be had.

    Example:
        List jobs:
        ```python
        from prefect import flow
        from prefect_databricks import DatabricksCredentials
        from prefect_databricks.rest import execute_endpoint

        @flow
        def example_execute_endpoint_flow():
            databricks_credentials = DatabricksCredentials.load("BLOCK_NAME")
            params = {"limit": 5, "offset": None, "expand_tasks": True}
            response = execute_endpoint("/2.1/jobs/list", databricks_credentials, params=params)
            return response.json()
        ```
    """
    method = http_method.value if isinstance(http_method, HTTPMethod) else str(http_method)
    return await send(
        databricks_credentials,
        method,
        endpoint,
        params=None if params is None else strip_kwargs(**params),
        json=None if json is None else strip_kwargs(**json),
        **kwargs,
    )
