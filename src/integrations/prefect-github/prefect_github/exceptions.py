"""The error for an address of a repository that its credentials cannot be used with."""


class InvalidRepositoryURLError(ValueError):
    """The address of the repository cannot be used with credentials: they go over HTTPS only."""
