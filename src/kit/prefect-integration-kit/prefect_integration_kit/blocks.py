"""Blocks that register quickly.

Prefect finds a block class by a key, which it takes from the class's complete JSON schema: 15 to 30 ms for each class,
at import. The key is only the slug of the block type, which is known without a schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class QuickKey:
    """A base to name before Prefect's own: `class AcmeCredentials(QuickKey, CredentialsBlock)`."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        return cast("type[Block]", cls).get_block_type_slug()
