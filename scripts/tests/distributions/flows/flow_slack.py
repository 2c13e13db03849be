"""Send a message to the workspace that the argument describes."""

from __future__ import annotations

import json
import sys

from prefect import flow

from prefect_slack import SlackCredentials
from prefect_slack.messages import send_chat_message


@flow
def send(token: str, base_url: str) -> bool:
    """Send a message."""
    credentials = SlackCredentials(token=token, base_url=base_url)
    return send_chat_message(slack_credentials=credentials, channel="#general", text="From a wheel.")["ok"]


print(send(**json.loads(sys.argv[1])))
