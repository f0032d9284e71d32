"""Names of materials: what a name looks like, and whether a material is traded here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from market.errors import InvalidFieldError, Rule

if TYPE_CHECKING:
    from collections.abc import Collection

MATERIAL_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""A material's name; ASCII only, so no two names look alike. Match it against the whole name."""


def require_traded(material: str, traded: Collection[str]) -> str:
    """Return `material` if it is traded here.

    Parameters
    ----------
    material
        Name from a request, compared letter by letter: no folding of case or of look-alike characters.
    traded
        Names of the environment's materials.

    Raises
    ------
    InvalidFieldError
        Rule ``known_material``.
    """
    if material not in traded:
        raise InvalidFieldError("material", material, Rule.KNOWN_MATERIAL, f"one of {', '.join(sorted(traded))}")
    return material
