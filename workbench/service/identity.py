"""Identity of a visitor: a signed token in a cookie, which only this server can create.

Gradio's session hash is chosen by the client and proves nothing. A token has an opaque owner id, of an
account or of an anonymous visitor.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer

from workbench.service.errors import LoginError, StorageError
from workbench.service.folder import create
from workbench.service.storage import is_id, new_id

COOKIE = "workbench"  # before names depended on the secret; still read
DAYS = 30  # that an account's token is good for, and browsers keep a visitor's
MARK_DAYS = 365  # that a browser is known for in which somebody logged in


def read_secret(path: Path) -> bytes:
    """32 random bytes, made once, whole or not at all, readable by this user only."""
    try:
        if not path.exists():
            create(path, secrets.token_bytes(32))
        found = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The secret {path} cannot be made or read ({error.strerror}).") from error
    if len(found) < 32:
        raise StorageError(
            f"Expected 32 bytes in {path} but it has {len(found)}. Delete it: all log in anew."
        )
    return found


class Tokens:
    """Signs and checks tokens: HMAC-SHA-256 over owner, epoch, time and a random number.

    Attributes:
        cookie: name of the cookie that carries them over HTTP. Browsers keep one jar for all ports of a host,
            so two servers need two names.
    """

    def __init__(self, secret: bytes):
        self.cookie = f"{COOKIE}-{hashlib.sha256(b'cookie' + secret).hexdigest()[:12]}"
        self._serializer, self._marks = (
            URLSafeTimedSerializer(
                secret, salt=salt, signer_kwargs={"digest_method": "sha256", "key_derivation": "hmac"}
            )
            for salt in ("workbench.owner", "workbench.browser")
        )

    def issue(self, owner: str, epoch: int = 0) -> str:
        """A token for ``owner``; ``epoch`` is the account's, which a new password raises."""
        if not is_id(owner, "au"):
            raise LoginError("Expected an owner id made by the platform.")
        # no two tokens are alike: of two sessions that begin in one second, logging out ends one
        return self._serializer.dumps([owner, epoch, secrets.token_hex(8)])

    def anonymous(self) -> tuple[str, str]:
        """(owner, token) of a visitor without an account, with an id of its own."""
        owner = new_id("a")
        return owner, self.issue(owner)

    def names(self, is_secure: bool) -> tuple[str, ...]:
        """Names of the cookies that are read, the first of which is set.

        By HTTPS it is one that browsers take from this very host by HTTPS only: neither another name of the
        domain nor whoever sits on a line without encryption can plant it.
        Source: RFC 6265bis, section 4.1.3.2.
        """
        return (f"__Host-{self.cookie}",) if is_secure else (self.cookie, COOKIE)

    def find(self, cookies: Mapping[str, str], is_secure: bool = False) -> tuple[str, str, int] | None:
        """(token, owner, epoch) of the first good token among a request's cookies, else None."""
        for name in self.names(is_secure):
            read = self.read(cookies.get(name))
            if read is not None:
                return (cookies[name], *read)
        return None

    def read(self, token: str | None) -> tuple[str, int] | None:
        """(owner, epoch) if the token was made here and is not too old, else None.

        A visitor's without an account is never too old: while a clock is set wrong, it would be replaced, and
        what belongs to it lost for good.
        """
        if not token or len(token) > 500:
            return None
        try:
            owner, epoch, *_ = self._serializer.loads(token)
            if is_id(owner, "u"):
                self._serializer.loads(token, max_age=DAYS * 86400)
        except (BadData, ValueError, TypeError):
            return None
        return (owner, epoch) if is_id(owner, "au") and isinstance(epoch, int) else None

    def mark(self, owner: str, epoch: int) -> str:
        """What a browser keeps in which somebody has logged in to an account."""
        return self._marks.dumps([owner, epoch, secrets.token_hex(8)])

    def read_mark(self, mark: str | None) -> tuple[str, int, str] | None:
        """(owner, epoch, a number of the browser's own) if the mark was made here, else None."""
        try:
            owner, epoch, number = self._marks.loads((mark or "")[:500], max_age=MARK_DAYS * 86400)
        except (BadData, ValueError, TypeError):
            return None
        return owner, epoch, number
