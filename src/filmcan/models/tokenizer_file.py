"""A `tokenizer.json` of an asset, read by the library tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.errors import AssetError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer


def read_tokenizer(file: Path, where: str) -> Tokenizer:
    """Return the tokenizer of a file, with the truncation and padding that the file asks for.

    Args:
        file: The file.
        where: Asset and file, for the error.

    Raises:
        AssetError: It is no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise AssetError(
            f"it is no tokenizer: {' '.join(str(error).split())[:200]}", where=where
        ) from error
    return found
