"""How a worker signs in that is itself a service of Snowflake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ....credentials import SnowflakeCredentials

SERVICE_TOKEN = Path("/snowflake/session/token")
"""Where Snowflake puts a token into each of its containers, anew every few minutes.

See https://docs.snowflake.com/en/developer-guide/snowpark-container-services/additional-considerations-services-jobs.
"""


def service_credentials() -> SnowflakeCredentials:
    """Credentials of the service that the worker itself runs in, at Snowflake.

    Raises:
        ValueError: If it runs elsewhere.
    """
    account, host = os.environ.get("SNOWFLAKE_ACCOUNT"), os.environ.get("SNOWFLAKE_HOST")
    if not account or not host or not SERVICE_TOKEN.exists():
        raise ValueError(
            "`snowflake_credentials` is missing. Choose a Snowflake Credentials block in the work pool, or in the "
            "deployment's job variables."
        )
    found: dict[str, Any] = {"account": account, "host": host}
    return SnowflakeCredentials(authenticator="oauth", token_file_path=SERVICE_TOKEN, **found)
