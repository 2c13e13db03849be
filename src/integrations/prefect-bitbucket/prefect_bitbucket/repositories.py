"""The name under which the guide of earlier releases imports the blocks of `prefect_bitbucket.repository`."""

from .repository import BitBucketCredentials, BitBucketRepository

BitbucketRepository = BitBucketRepository

__all__ = ["BitBucketCredentials", "BitBucketRepository", "BitbucketRepository"]
