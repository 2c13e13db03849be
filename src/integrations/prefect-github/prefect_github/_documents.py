"""What can be told about a GraphQL document without the schema, and without a parser. Pure."""

from __future__ import annotations

import re

# Comments and texts, which may hold anything; then what matters (https://spec.graphql.org/October2021/#sec-Language).
_TOKENS = re.compile(r'#[^\n\r]*|"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n\r])*"|[{}()\[\]]|[_A-Za-z][_0-9A-Za-z]*')
_CHANGING = ("mutation", "subscription")


def changes_something(document: str) -> bool:
    """Say whether a document has an operation that changes something, so that it must not be sent twice.

    Args:
        document: A GraphQL document.
    """
    depth, begins = 0, True
    for token in _TOKENS.findall(document):
        if token[0] in '#"':
            continue
        if token in ("{", "(", "["):
            depth += 1
        elif token in ("}", ")", "]"):
            depth -= 1
            begins = depth == 0 and token == "}"  # noqa: S105 - a brace
            continue
        elif depth == 0 and begins and token in _CHANGING:
            return True
        begins = False
    return False
