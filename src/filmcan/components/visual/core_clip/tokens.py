"""Text -> the ids that CLIP's text tower takes. Owns the tokenizer.

Called by `text_tower.py`. Byte pairs come from the asset's `tokenizer.json`; what openai's
tokenizer does beyond them is done here, except for its repair of broken encodings (ftfy): curly
quotes and ligatures therefore give other ids than openai's.
Source: openai/CLIP, `clip/simple_tokenizer.py` and `clip/clip.py`, `tokenize`.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from filmcan.errors import AssetError
from filmcan.models.tokenizer_file import read_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 77
"""Most ids of one text, start and end included."""

_START = "<|startoftext|>"
_END = "<|endoftext|>"


class PromptTokenizer:
    """The tokenizer of one asset."""

    def __init__(self, file: Path, where: str) -> None:
        """Read a `tokenizer.json`.

        Raises:
            AssetError: It is no tokenizer, or not CLIP's.
        """
        self._tokenizer = read_tokenizer(file, where)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        start, end = self._tokenizer.token_to_id(_START), self._tokenizer.token_to_id(_END)
        if start is None or end is None:
            raise AssetError(f"it has no tokens {_START} and {_END}", where=where)
        self.start_id: int = start
        self.end_id: int = end

    def encode(self, text: str) -> tuple[list[int], bool]:
        """Return the ids of a text, start and end included, and whether it had to be cut."""
        plain = html.unescape(html.unescape(text)).strip()
        ids = self._tokenizer.encode(plain, add_special_tokens=False).ids
        kept = ids[: CONTEXT - 2]
        return [self.start_id, *kept, self.end_id], len(kept) < len(ids)
