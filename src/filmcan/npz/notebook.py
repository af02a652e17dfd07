"""How objects answer a notebook that asks them to show themselves.

A notebook asks the object, which lies layers below whatever can draw it. So the one function that
knows how is named here and loaded when somebody asks; nothing of it is imported otherwise.
"""

from __future__ import annotations

import importlib

_FACE = "filmcan.operations.notebook"


def ask_face(name: str, *arguments: object) -> object:
    """Call a function of the notebook's face by its name."""
    function = getattr(importlib.import_module(_FACE), name)
    return function(*arguments)
