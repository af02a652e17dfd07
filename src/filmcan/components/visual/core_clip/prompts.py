"""The texts that frames are compared with, as the profile lists them.

Called by `component.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.components.parameters import get_list
from filmcan.errors import BadProfileError

if TYPE_CHECKING:
    from filmcan.components.base import Parameters

MAX_PROMPTS = 1000
_LEAST_IN_GROUP = 2
_FIELDS = {"group", "texts"}
_FORM = "{group: scene, texts: [a photo taken indoors, a photo taken outdoors]}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One text, and the group within which it competes."""

    group: str
    text: str


def parse_prompts(parameters: Parameters, name: str) -> tuple[Prompt, ...]:
    """Return the prompts of the profile, groups and texts in its order.

    Raises:
        BadProfileError: An entry has another form, a name or text stands twice, or a group has
            fewer than two texts, so that nothing competes.
    """
    prompts: list[Prompt] = []
    for place, entry in enumerate(get_list(parameters, name)):
        where = f"{name}[{place}]"
        found = _parse_group(entry, where)
        if any(prompt.group == found[0].group for prompt in prompts):
            raise BadProfileError(f"the group {found[0].group!r} stands twice", where=where)
        prompts += found
    if len(prompts) > MAX_PROMPTS:
        raise BadProfileError(
            f"{name} holds {len(prompts)} texts, at most {MAX_PROMPTS} are allowed", where=name
        )
    return tuple(prompts)


def _parse_group(entry: object, where: str) -> list[Prompt]:
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise BadProfileError(f"expected an entry such as {_FORM}, got {entry!r}", where=where)
    group, texts = entry["group"], entry["texts"]
    if not _is_text(group):
        raise BadProfileError(f"expected a name, got {group!r}", where=f"{where}.group")
    if not isinstance(texts, list) or not all(map(_is_text, texts)):
        raise BadProfileError(f"expected a list of texts, got {texts!r}", where=f"{where}.texts")
    if len(texts) < _LEAST_IN_GROUP:
        raise BadProfileError(
            f"expected at least two texts that compete, got {texts!r}", where=f"{where}.texts"
        )
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise BadProfileError(f"{twice[0]!r} stands twice", where=f"{where}.texts")
    return [Prompt(group, text) for text in texts]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
