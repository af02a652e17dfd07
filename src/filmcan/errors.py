"""Every error filmcan raises on purpose, grouped by what the reader would do next.

    FilmcanError
    ├── InvalidContentError      the bytes are wrong: fix or regenerate them
    │   ├── InvalidIdError       an id breaks C2.1: choose another
    │   ├── InvalidManifestError a manifest is damaged: keep it, restore or rebuild it
    │   ├── InvalidSchemaError   a machine schema is malformed: mend the schema
    │   └── InvalidArtifactError an NPZ or NPY is damaged, hostile or breaks its schema
    ├── NotFoundError            (also a LookupError) nothing has that name: list what there is
    ├── ConflictError            somebody else won, or the run differs: re-read, then decide
    ├── StoreUnavailableError    the disk or server refused: free space, rights, network
    ├── BadMediaError            the source cannot be decoded: check or replace the file
    ├── BadProfileError          a setting is wrong: correct the profile or the command line
    ├── BadDocumentError         the text document is wrong: correct the document
    ├── ComponentFailedError     a component crashed on this video: read its record
    ├── AssetError               a model or sample file is missing or has a wrong digest
    ├── MissingExtraError        an optional dependency is absent: install the extra
    └── InternalError            a promise inside filmcan broke: report it

Every error says what is wrong, where, and what to do. `code` is stable and append-only: callers
branch on it, never on the text.
"""

from __future__ import annotations

from typing import ClassVar


class FilmcanError(Exception):
    """Base of every typed error.

    Attributes:
        message: What is wrong: expected and got.
        code: Stable identifier of the kind of problem, `snake_case`.
        where: The place: video, run, component, key or index; empty when the message says it.
        hint: What to do next; empty when nothing helps.
    """

    default_code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, *, code: str | None = None, where: str = "", hint: str = ""
    ) -> None:
        """Keep the three parts apart so that each face can lay them out."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Say what is wrong, where, and what to do, in one line."""
        text = self.message
        if self.where:
            text = f"{text} ({self.where})"
        if self.hint:
            text = f"{text.rstrip('.')}. {self.hint}"
        return text

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Keep all parts when an error crosses a process boundary."""
        return (_rebuild, (type(self), self.message, self.code, self.where, self.hint))


def _rebuild(
    kind: type[FilmcanError], message: str, code: str, where: str, hint: str
) -> FilmcanError:
    return kind(message, code=code, where=where, hint=hint)


class InvalidContentError(FilmcanError):
    """Stored or given bytes break a rule of the contract."""

    default_code = "invalid_content"


class InvalidIdError(InvalidContentError):
    """An id is not one safe path segment (C2.1)."""

    default_code = "invalid_id"


class InvalidManifestError(InvalidContentError):
    """A manifest is damaged or breaks C3; it is never treated as a missing one."""

    default_code = "invalid_manifest"


class InvalidSchemaError(InvalidContentError):
    """A machine schema is malformed."""

    default_code = "invalid_schema"


class InvalidArtifactError(InvalidContentError):
    """An NPZ or NPY is damaged, hostile or does not satisfy its schema."""

    default_code = "invalid_artifact"


class NotFoundError(FilmcanError, LookupError):
    """Nothing has that name."""

    default_code = "not_found"


class ConflictError(FilmcanError):
    """The thing exists already, changed meanwhile, or belongs to another configuration."""

    default_code = "conflict"


class StoreUnavailableError(FilmcanError):
    """The store could not be read or written for a reason outside its content."""

    default_code = "store_unavailable"


class BadMediaError(FilmcanError):
    """The source cannot be opened, exceeds a limit, or holds no decodable stream."""

    default_code = "bad_media"


class BadProfileError(FilmcanError):
    """A profile or a setting is wrong."""

    default_code = "bad_profile"


class BadDocumentError(FilmcanError):
    """The document given with a video is wrong."""

    default_code = "bad_document"


class ComponentFailedError(FilmcanError):
    """A component could not produce its artifact for this video."""

    default_code = "component_failed"


class AssetError(FilmcanError):
    """An asset of the catalog is missing, cannot be fetched, or has a wrong digest."""

    default_code = "asset"


class MissingExtraError(FilmcanError):
    """An optional dependency is not installed."""

    default_code = "missing_extra"


class InternalError(FilmcanError):
    """A promise inside filmcan was broken."""

    default_code = "internal"
