"""Text -> the ids that a sentence embedder takes. Owns the tokenizer.

Called by `embedder.py` and by the cutting of long texts. What the file says of truncation and
padding is overruled: all-MiniLM's own says 128 tokens and always pads to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.models.tokenizer_file import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_PAD_TOKENS = ("[PAD]", "<pad>")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as ids.

    Attributes:
        ids: With the special tokens at both ends.
        content: How many of them stand for the text itself.
    """

    ids: list[int]
    content: int


class TextTokenizer:
    """The tokenizer of one asset.

    Attributes:
        room: Tokens of text that fit into one input, special tokens apart.
        pad_id: What fills up the shorter texts of a batch; the mask hides it.
    """

    def __init__(self, file: Path, where: str, max_tokens: int) -> None:
        """Read a `tokenizer.json`.

        Args:
            file: The file.
            where: Asset and file, for the error.
            max_tokens: Longest input, special tokens included.

        Raises:
            AssetError: It is no tokenizer.
        """
        self._tokenizer = read_tokenizer(file, where)
        padding = self._tokenizer.padding or {}
        known = map(self._tokenizer.token_to_id, _PAD_TOKENS)
        fallback = next((found for found in known if found is not None), 0)
        self.pad_id: int = padding.get("pad_id", fallback)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._counter = read_tokenizer(file, where)
        self._counter.no_padding()
        self._counter.no_truncation()
        self.room = max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def encode(self, text: str) -> Encoded:
        """Return the ids of a text, cut to the longest input."""
        found = self._tokenizer.encode(text)
        return Encoded(found.ids, len(found.ids) - sum(found.special_tokens_mask))

    def count(self, text: str) -> int:
        """Return how many tokens a text has, special tokens apart, uncut."""
        return len(self._counter.encode(text, add_special_tokens=False).ids)

    def split(self, text: str, room: int) -> list[tuple[int, int]]:
        """Return where to split a text into stretches of at most `room` tokens each.

        Between words where there are blanks; a word that is too long is split itself.

        Returns:
            (start, end) of each stretch, in characters.
        """
        offsets = self._counter.encode(text, add_special_tokens=False).offsets
        stretches: list[tuple[int, int]] = []
        start = first = 0
        while len(offsets) - first > room:
            last = first + room
            while last > first + 1 and not _is_border(text, offsets[last][0]):
                last -= 1
            if not _is_border(text, offsets[last][0]):
                last = first + room
            end = max(offsets[last][0], start)
            stretches.append((start, end))
            start, first = end, last
        return [*stretches, (start, len(text))]


def _is_border(text: str, place: int) -> bool:
    """Tell whether a word begins at a place."""
    return place == 0 or text[place - 1].isspace()
