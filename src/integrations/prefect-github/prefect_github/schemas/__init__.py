"""Types of GitHub's GraphQL schema, for operations that are written with sgqlc: see `graphql_schema`."""

from . import graphql_schema

__all__ = ["graphql_schema"]
