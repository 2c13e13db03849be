"""In which form, and from where, Databricks hands out the rows of a statement."""

from typing import Literal

Disposition = Literal["INLINE", "EXTERNAL_LINKS"]
Format = Literal["JSON_ARRAY", "ARROW_STREAM"]
