"""What goes wrong with a bucket, as typed errors that say what to do."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from obstore import exceptions

from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError

_SERVERS_WORDS = re.compile(r"<Code>(\w+)</Code>.*?<Message>([^<]*)</Message>", re.DOTALL)

_QUERY = re.compile(r"(https?://[^\s?]*)\?\S*")
"""Of an address in a message; what stands there may be a signature."""

_HOME = os.getpid()
"""The process that obstore's threads live in; a fork has none of them, and waits for ever."""

_HINT = "Check the endpoint, the network and the credentials (environment variables of the cloud)."


class ConditionFailedError(StoreUnavailableError):
    """A conditional write was answered by 412, 409 or 404: not done, or done by its own first try.

    `swap` finds out which.
    """


@contextlib.contextmanager
def writing(path: str, url: str) -> Iterator[None]:
    """Translate failures of writes, for which a 404 is a missing bucket or a lost object."""
    try:
        with translated(path, url):
            yield
    except NotFoundError as error:
        raise ConditionFailedError(error.message, where=path) from error


@contextlib.contextmanager
def translated(path: str, url: str) -> Iterator[None]:
    """Turn a failure into the typed error that says what to do."""
    if os.getpid() != _HOME:
        raise StoreUnavailableError(
            "this process was forked from one that loaded obstore, where it would hang",
            code="forked",
            where=url,
            hint="Start workers with the spawn method of multiprocessing.",
        )
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise _refuse_bucket(error, url) from error
        raise NotFoundError("there is no such file in the store", where=path) from error
    except (exceptions.PreconditionError, exceptions.AlreadyExistsError) as error:
        raise ConditionFailedError(shorten(error), where=path) from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise StoreUnavailableError(
            f"access is denied: {shorten(error)}",
            code="store_denied",
            where=path or url,
            hint="Check the credentials, and what they may do in this bucket.",
        ) from error
    except exceptions.InvalidPathError as error:
        raise StoreUnavailableError(
            f"an object has a name that is no path: {shorten(error)}",
            code="foreign_names",
            where=path or url,
            hint="Remove it with the tools of the cloud; nothing of filmcan wrote it.",
        ) from error
    except exceptions.BaseError as error:
        if "NoSuchBucket" in str(error):
            raise _refuse_bucket(error, url) from error
        raise StoreUnavailableError(
            f"the store cannot be used: {shorten(error)}", where=path or url, hint=_HINT
        ) from error
    except ValueError as error:
        raise InvalidContentError(
            f"{path!r} is no path below the store", code="bad_path"
        ) from error


def _refuse_bucket(error: Exception, url: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"there is no such bucket: {shorten(error)}",
        code="no_store",
        where=url,
        hint="Create the bucket, or name another --store.",
    )


def shorten(error: Exception) -> str:
    """Return what a failure says in one line, without what an address asks for."""
    text = _QUERY.sub(r"\1", str(error))
    said = _SERVERS_WORDS.search(text)
    first = text.split("\n", 1)[0].partition("<")[0].rstrip(": ")
    return f"{first}: {said.group(1)}: {said.group(2)}"[:400] if said is not None else first[:400]
