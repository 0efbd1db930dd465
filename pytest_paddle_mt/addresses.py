"""Names places that are no path of this machine, such as ``s3://bucket/prefix``, and prints them without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

#: User, password or token of a URL. A password may contain what ends the host of a URL: people paste them as they are.
_USER = re.compile(r"(?<=://)(?:[^/\s@:]*:\S*|[^/?#\s]*)@")
_QUERY = re.compile(r"(?<=://)(\S*?)\?\S+")  #: What may be a signature or a key.


def is_address(text: str) -> bool:
    """Whether this is a URL and not a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text.strip()) is not None


def without_secrets(text: str) -> str:
    """``text`` with ``***`` for the user, password and query of every URL in it."""
    return _QUERY.sub(r"\1?***", _USER.sub("***@", text))


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A folder of a remote store: a URL and the names below it. It prints no secret."""

    url: str = field(repr=False)  #: As the user gave it, secrets and all.
    names: tuple[str, ...] = ()

    def __truediv__(self, name: str) -> Address:
        return replace(self, names=(*self.names, name))

    @property
    def parent(self) -> Address:
        """The folder that it is in."""
        return replace(self, names=self.names[:-1])

    @property
    def name(self) -> str:
        """Its own name; empty for the URL itself."""
        return self.names[-1] if self.names else ""

    def __str__(self) -> str:
        base = re.sub("(?<=[^/:])/+$", "", without_secrets(self.url))
        return base + "/" * bool(self.names and not base.endswith("/")) + "/".join(self.names)
