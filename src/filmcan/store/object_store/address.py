"""Where a store in a bucket is: its URL, and the endpoint that the environment names."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from filmcan.errors import StoreUnavailableError
from filmcan.store.base import split_path

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def check_url(url: str) -> str:
    """Return a URL of bucket and prefix, and of nothing besides.

    Raises:
        StoreUnavailableError: It names no bucket, or holds more, which may be a secret.
        InvalidContentError: The prefix is no path.
    """
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise StoreUnavailableError(
            "a store's URL names a bucket and a prefix, and nothing besides",
            code="bad_url",
            where=f"{parts.scheme}://",  # what else stands there may be a secret
            hint="Write s3://BUCKET/PREFIX; credentials and options go into the environment.",
        )
    prefix = parts.path.strip("/")
    split_path(prefix)
    return f"{parts.scheme}://{parts.netloc}/{prefix}".rstrip("/")


def find_endpoint(environment: Mapping[str, str]) -> str:
    """Return the server that is named instead of the cloud's own; empty where none is."""
    return next((environment[name] for name in _ENDPOINTS if environment.get(name)), "")


def is_loopback(environment: Mapping[str, str]) -> bool:
    """Tell whether the endpoint is plain HTTP to this very machine, which nobody can listen to."""
    parts = urlsplit(find_endpoint(environment))
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
