"""Methods that somebody has put in the place of a package's own.

A subclass, a stand-in for a block or a patch may have another way to make clients. Packages whose calls do not go by
their own method ask here first, because then that other way is what the user wants.
"""

from __future__ import annotations

from typing import Any


def is_replaced(owner: object, name: str, module: str) -> bool:
    """Say whether a method is another than the one that a module defines.

    Args:
        owner: A block or a class, or what stands in for it.
        name: The method's name.
        module: Dotted name of the module that defines the package's own method.

    Returns:
        Whether there is such a method, and it comes from elsewhere.
    """
    method: Any = getattr(owner, name, None)
    function = getattr(method, "__func__", method)
    return method is not None and getattr(function, "__module__", None) != module
