"""What both connectors have: fields without live handles, masked text, and the names of things quoted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from prefect_integration_kit.live_blocks import LiveBlock
from prefect_integration_kit.sql_identifiers import quote_identifier

from .credentials import AsyncDriver, SyncDriver

LOGO_URL = "https://cdn.sanity.io/images/3ugk85nk/production/3c7dff04f70aaf4528e184a3b028f9e40b98d68c-250x250.png"
DOCUMENTATION_URL = "https://docs.prefect.io/integrations/prefect-sqlalchemy"

_QUOTES = {"mysql": "`", "mariadb": "`", "mssql": "["}


def read_components(value: Any) -> Any:
    """Give a known driver back as the member that it was when the block was saved.

    Args:
        value: The value of the field.
    """
    if not isinstance(value, dict):
        return value
    parts = cast("dict[str, Any]", value)
    driver = parts.get("driver")
    known = {member.value: member for kind in (SyncDriver, AsyncDriver) for member in kind}
    return {**parts, "driver": known.get(driver, driver)} if isinstance(driver, str) else parts


def read_fetch_size(value: Any) -> Any:
    """Take what a form leaves behind when its field was emptied.

    Args:
        value: The value of the field.
    """
    return 1 if value is None or (isinstance(value, str) and not value.strip()) else value


def check_fetch_size(value: int) -> int:
    """Refuse what is no size of a page.

    Args:
        value: The value of the field.

    Raises:
        ValueError: If it is less than 1.
    """
    if value < 1:
        raise ValueError(f"fetch_size is {value}; it must be at least 1.")
    return value


class DatabaseUrl(str):
    """A URL as text that shows no password where it is printed as a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show the URL without a secret."""
        from ._urls import shown

        return repr(shown(str(self)))


class Connector(LiveBlock):
    """Copies, pickles and prints a connector by its fields: connections and cursors stay where they are."""

    _live: ClassVar[tuple[str, ...]] = ("_database",)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the fields, without a secret in the driver's arguments."""
        from ._urls import shown_arguments

        for name, value in super().__repr_args__():
            yield name, shown_arguments(value) if name == "connect_args" else value

    def quote_identifier(self, *parts: str) -> str:
        """Quote the name of a table, column or schema that comes from outside, as this database does.

        Values are not quoted: bind them.

        Args:
            parts: The name's parts, such as schema and table. They are taken literally, upper and lower case included.

        Returns:
            The parts, quoted and joined by dots.

        Raises:
            ValueError: If a part is empty or holds a null character.
        """
        return quote_identifier(*parts, quote=_QUOTES.get(self._backend_name(), '"'))

    def _backend_name(self) -> str:
        database: Any = self.__pydantic_private__["_database"] if self.__pydantic_private__ else None
        return str(database.target.url.get_backend_name())

    def __str__(self) -> str:
        """Show the block as `repr` does, without a secret."""
        return repr(self)
