"""Send messages and files to Slack from Prefect flows."""

from importlib.metadata import version

from .changes import add_reaction, delete_chat_message, get_permalink, remove_reaction, update_chat_message
from .credentials import SlackCredentials, SlackWebhook
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
