"""Send mail from Prefect flows over SMTP."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .credentials import EmailServerCredentials, SMTPServer, SMTPType

if TYPE_CHECKING:
    from .attachments import EmailAttachment
    from .connection import EmailConnection, SentEmail
    from .message import email_send_many, email_send_message
    from .mime import Email

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

# Every flow run imports this package, and few send mail.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "Email": ".mime",
        "EmailAttachment": ".attachments",
        "EmailConnection": ".connection",
        "SentEmail": ".connection",
        "email_send_many": ".message",
        "email_send_message": ".message",
    },
)
