"""Send mail from Prefect flows over SMTP."""

from importlib.metadata import version

from .attachments import EmailAttachment
from .connection import EmailConnection, SentEmail
from .credentials import EmailServerCredentials, SMTPServer, SMTPType
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
