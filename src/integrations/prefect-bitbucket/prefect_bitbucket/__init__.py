"""Clone repositories of Bitbucket Cloud and Data Center, and use their API from Prefect flows."""

from importlib.metadata import version

from .credentials import BitBucketCredentials, ClientType
from .errors import BitBucketAppPasswordRefused, BitBucketCredentialsError, BitBucketError
from .repository import BitBucketRepository

__version__ = version("prefect-bitbucket")

BitbucketRepository = BitBucketRepository  # as the guide of earlier releases writes it

__all__ = [
    "BitBucketAppPasswordRefused",
    "BitBucketCredentials",
    "BitBucketCredentialsError",
    "BitBucketError",
    "BitBucketRepository",
    "ClientType",
]
