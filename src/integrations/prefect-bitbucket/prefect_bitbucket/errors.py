"""What can be wrong with credentials of Bitbucket, as Python exceptions.

    BitBucketError
    └── BitBucketCredentialsError (ValueError)      the block lacks something
        └── BitBucketAppPasswordRefused             Bitbucket Cloud takes none any more

Pulls of repositories raise the errors of `prefect_integration_kit.git`: `GitAuthenticationFailed`,
`GitReferenceNotFound` and so on. A client of the API raises those of its SDK, `requests.HTTPError` among them.
"""

from __future__ import annotations

from prefect_integration_kit.sdk_errors import TranslatedError


class BitBucketError(TranslatedError):
    """Something of Bitbucket cannot be used."""


class BitBucketCredentialsError(BitBucketError, ValueError):
    """The credentials block lacks something, or is of a kind that cannot do this."""


class BitBucketAppPasswordRefused(BitBucketCredentialsError):
    """The block holds an app password, which Bitbucket Cloud has not accepted since June 2026."""
