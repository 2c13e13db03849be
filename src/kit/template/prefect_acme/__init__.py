"""Store objects in Acme from Prefect flows."""

from .credentials import AcmeCredentials
from .errors import AcmeAccessDenied, AcmeError, AcmeObjectNotFound, AcmeUnavailable
from .storage import AcmeBucket, awrite_acme_object, write_acme_object

__version__ = "0.1.0"

__all__ = [
    "AcmeAccessDenied",
    "AcmeBucket",
    "AcmeCredentials",
    "AcmeError",
    "AcmeObjectNotFound",
    "AcmeUnavailable",
    "awrite_acme_object",
    "write_acme_object",
]
