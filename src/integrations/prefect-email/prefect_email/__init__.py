"""Send mail from Prefect flows over SMTP."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .attachments import EmailAttachment
from .connection import EmailConnection, SentEmail
from .credentials import EmailServerCredentials, SMTPServer, SMTPType
from .mime import Email

if TYPE_CHECKING:
    from .message import email_send_many, email_send_message

__version__ = version("prefect-email")

__all__ = [
    "Email",
    "EmailAttachment",
    "EmailConnection",
    "EmailServerCredentials",
    "SMTPServer",
    "SMTPType",
    "SentEmail",
    "email_send_many",
    "email_send_message",
]

# Making tasks takes its time, and every flow run imports this package.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "email_send_many": ".message",
        "email_send_message": ".message",
    },
)
