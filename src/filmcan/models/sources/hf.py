"""Source `hf`: a file of a Hugging Face repository at one revision, or of a mirror of it.

`HF_ENDPOINT` names a mirror; `HF_TOKEN` is sent to that host alone and stands in no message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import quote

from filmcan.errors import AssetError
from filmcan.models.sources.address import find_url_fault
from filmcan.models.sources.base import find_path_fault, matcher
from filmcan.models.sources.download import download

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader
    from filmcan.models.sources.base import FetchOrder

ENDPOINT_VARIABLE = "HF_ENDPOINT"
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - the variable's name
DEFAULT_ENDPOINT = "https://huggingface.co"

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True, slots=True)
class HfSource:
    """A file of a model repository.

    Attributes:
        repo: Owner and name.
        revision: The commit, 40 hex digits: a branch or tag can move.
        path: The file's path in the repository.
    """

    kind: ClassVar[str] = "hf"
    needs_network: ClassVar[bool] = True

    repo: str
    revision: str
    path: str

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:  # noqa: ARG003 - names no local path
        """Read `repo`, `revision` and `path`."""
        reader.only(("kind", "repo", "revision", "path"))
        return cls(
            repo=reader.checked("repo", matcher(f"{_NAME}/{_NAME}", "owner/name")),
            revision=reader.checked(
                "revision", matcher("[0-9a-f]{40}", "a commit of 40 lower-case hex digits")
            ),
            path=reader.checked("path", find_path_fault),
        )

    def describe(self) -> str:
        """Return the repository, the revision and the path."""
        return f"hf {self.repo}@{self.revision[:12]}, {self.path}"

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Download the file; an interrupted download is gone on with.

        Raises:
            AssetError: The hub is out of reach, refuses, or has not the file of that size; or a
                variable is wrong.
        """
        url = f"{self._read_endpoint()}/{self.repo}/resolve/{self.revision}/{quote(self.path)}"
        download(url, target, order, where=self.describe(), token=self._read_token())

    def _read_endpoint(self) -> str:
        endpoint = os.environ.get(ENDPOINT_VARIABLE, "").strip().rstrip("/") or DEFAULT_ENDPOINT
        fault = find_url_fault(endpoint)
        if fault is None and "?" in endpoint:
            fault = "expected an address without ?"
        if fault is not None:
            self._fail(f"{ENDPOINT_VARIABLE} is wrong: {fault}", ENDPOINT_VARIABLE)
        return endpoint

    def _read_token(self) -> str:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not (token.isascii() and token.isprintable() and " " not in token):
            self._fail(f"{TOKEN_VARIABLE} holds characters that no token has", TOKEN_VARIABLE)
        return token

    def _fail(self, message: str, variable: str) -> None:
        raise AssetError(
            message,
            code="asset_unreachable",
            where=self.describe(),
            hint=f"Correct or unset {variable}.",
        )
