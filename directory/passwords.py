"""How is a password stored so that the ticket system can check it? In one of OTOBO's own forms.

OTOBO's login reads all of them, whichever it writes itself (spec 5.4; recorded directory_write-23).
``bcrypt`` is the one to use; the others are for sites that need them.

========== =========================================== =================================
form       stored                                      weakness
========== =========================================== =================================
bcrypt     ``BCRYPT:<cost>:<salt>:<hash>``             none known
sha512     128 hex digits                              no salt, fast to try
sha2       SHA-256, 64 hex digits                      no salt, fast to try
sha1       40 hex digits                               no salt, fast to try
md5, apr1  ``$1$<salt>$<hash>``, ``$apr1$…``           fast to try
crypt      13 characters                               only the first 8 octets count
plain      the password itself                         everybody who reads the table knows it
========== =========================================== =================================
"""

import base64
import hashlib
import re
import secrets
import string
from collections.abc import Callable, Mapping

import bcrypt
from passlib.hash import apr_md5_crypt, des_crypt, md5_crypt

from directory.config import PasswordForm
from directory.refusals import Refused

LENGTH = 8
"""Characters of a password that ``generate`` makes, as OTOBO's (recorded directory_write-24)."""

ACCOUNT_LENGTH = 16
"""Characters of one that is made for a customer user: what nobody thought up need not be short."""

LENGTHS = range(8, 73)
"""Characters that a password can be asked for."""

MAX_BCRYPT = 72
"""Octets that bcrypt looks at; OTOBO drops the others without a word."""

ALPHABET = string.digits + string.ascii_letters
"""What OTOBO makes random texts of."""

PASSWORD = "UserPassword"  # noqa: S105 - the variable's name

_SALT_OF_CRYPT = re.compile(r"[./0-9A-Za-z]{2}")
_SALT_OF_MD5 = re.compile(r"[./0-9A-Za-z]{1,8}")

_STANDARD = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_BCRYPT = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits
_TO_BCRYPT = str.maketrans(_STANDARD, _BCRYPT)
"""Base64 with the alphabet that bcrypt has."""


def generate(length: int = LENGTH) -> str:
    """A random password of digits and letters.

    Raises:
        Refused: the length is not in ``LENGTHS``.
    """
    if length not in LENGTHS:
        msg = f"a password can have {LENGTHS[0]} to {LENGTHS[-1]} characters; ask for so many"
        raise Refused("wrong_arguments", msg, field="length")
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def refusal(password: str, form: PasswordForm, source: str = "") -> Refused | None:
    """Why a password cannot be stored in a form; None if it can."""
    if not password:
        msg = "the password is empty; give one, or have one generated"
        return Refused("required", msg, field=PASSWORD, source=source)
    try:
        octets = password.encode()
    except UnicodeEncodeError:
        msg = "the password is not valid Unicode; type it anew"
        return Refused("not_valid_utf8", msg, field=PASSWORD, source=source)
    if "\0" in password:
        msg = "the password has a NUL character in it; type it anew"
        return Refused("not_valid_utf8", msg, field=PASSWORD, source=source)
    if form == "bcrypt" and len(octets) > MAX_BCRYPT:
        msg = (
            f"the password has {len(octets)} octets, and bcrypt would look at the first "
            f"{MAX_BCRYPT} only; choose a shorter one"
        )
        return Refused("too_long", msg, field=PASSWORD, source=source)
    return None


def stored_length(password: str, form: PasswordForm) -> int:
    """Characters that the stored form takes at the most."""
    return _LENGTHS.get(form, len(password))


def stored_form(password: str, form: PasswordForm, login: str, cost: int = 12) -> str:
    """What stands in the table for a password.

    Args:
        password: in clear.
        form: one of OTOBO's.
        login: of the customer user; OTOBO takes the salt of ``crypt``, ``md5`` and ``apr1`` from
            it. Where none can be made of it, the salt is random: OTOBO reads it from the table.
        cost: of ``bcrypt``: 2 to its power rounds. 12 takes a quarter of a second.

    Raises:
        Refused: the password is empty, too long, or not text.
    """
    if (refused := refusal(password, form)) is not None:
        raise refused
    if form == "bcrypt":
        return _bcrypt(password, cost)
    if form in _HASHES:
        return _HASHES[form](password.encode()).hexdigest()
    if form in _SALTED:
        return _SALTED[form](password, login)
    return password


def _bcrypt(password: str, cost: int) -> str:
    salt = "".join(secrets.choice(ALPHABET) for _ in range(16))
    encoded = base64.b64encode(salt.encode()).decode().rstrip("=").translate(_TO_BCRYPT)
    hashed = bcrypt.hashpw(password.encode(), f"$2b${cost:02}${encoded}".encode()).decode()
    # The cost, 22 characters of salt, and then the hash.
    return f"BCRYPT:{cost}:{salt}:{hashed[-31:]}"


def _crypt(password: str, login: str) -> str:
    salt = login[:2]
    if _SALT_OF_CRYPT.fullmatch(salt) is None:
        salt = generate()[:2]
    return str(des_crypt.using(salt=salt, truncate_error=False).hash(password))


def _md5_like(handler: type[md5_crypt | apr_md5_crypt], password: str, login: str) -> str:
    salt = login[:8]
    if _SALT_OF_MD5.fullmatch(salt) is None:
        salt = generate()
    return str(handler.using(salt=salt).hash(password))


_LENGTHS: Mapping[str, int] = {
    "bcrypt": 58,
    "sha512": 128,
    "sha2": 64,
    "sha1": 40,
    "md5": 34,
    "apr1": 37,
    "crypt": 13,
}

_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = {
    "sha1": lambda octets: hashlib.sha1(octets, usedforsecurity=False),
    "sha2": hashlib.sha256,
    "sha512": hashlib.sha512,
}

_SALTED: Mapping[str, Callable[[str, str], str]] = {
    "crypt": _crypt,
    "md5": lambda password, login: _md5_like(md5_crypt, password, login),
    "apr1": lambda password, login: _md5_like(apr_md5_crypt, password, login),
}
