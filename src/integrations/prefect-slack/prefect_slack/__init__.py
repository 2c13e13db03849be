"""Send messages and files to Slack from Prefect flows."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .credentials import SlackCredentials, SlackWebhook

if TYPE_CHECKING:
    from .changes import add_reaction, delete_chat_message, get_permalink, remove_reaction, update_chat_message
    from .files import SlackFile, upload_file
    from .messages import send_chat_message, send_ephemeral_message, send_incoming_webhook_message

__version__ = version("prefect-slack")

__all__ = [
    "SlackCredentials",
    "SlackFile",
    "SlackWebhook",
    "add_reaction",
    "delete_chat_message",
    "get_permalink",
    "remove_reaction",
    "send_chat_message",
    "send_ephemeral_message",
    "send_incoming_webhook_message",
    "update_chat_message",
    "upload_file",
]

# Making tasks takes its time, and every flow run imports this package.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "SlackFile": ".files",
        "add_reaction": ".changes",
        "delete_chat_message": ".changes",
        "get_permalink": ".changes",
        "remove_reaction": ".changes",
        "send_chat_message": ".messages",
        "send_ephemeral_message": ".messages",
        "send_incoming_webhook_message": ".messages",
        "update_chat_message": ".changes",
        "upload_file": ".files",
    },
)
