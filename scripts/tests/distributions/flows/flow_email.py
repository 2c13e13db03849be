"""Send a mail through the server that the argument describes."""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect import flow

from prefect_email import EmailServerCredentials, email_send_message


@flow
def send(fields: dict[str, Any]) -> str:
    """Send a mail."""
    message = email_send_message(
        subject="Installed",
        msg="From a wheel.",
        email_server_credentials=EmailServerCredentials(**fields),
        email_from="wheel@example.com",
        email_to="ada@example.com",
    )
    return message["Subject"]


print(send(json.loads(sys.argv[1])))
