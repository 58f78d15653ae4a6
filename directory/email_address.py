"""Is this an email address? One that mail can be sent to, by its syntax; no name server is asked.

What counts is what can be written behind ``RCPT TO`` by a ticket system that knows nothing but
ASCII: no name before the address, no blanks around it, a domain with a dot. Domains that only a
site's own servers know (``x.local``, ``x.test``) are domains, too.
"""

import re
from functools import lru_cache

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

_PRIVATE = frozenset(SPECIAL_USE_DOMAIN_NAMES)
_PUBLIC = "example"

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_USUAL_MAILBOX = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_SURELY_SHORT = 64
"""Characters of an address in which nothing can be too long."""


def is_email_address(text: str) -> bool:
    """Whether mail can be sent to it, as far as its syntax tells."""
    mailbox, _, domain = text.rpartition("@")
    if len(text) <= _SURELY_SHORT and _USUAL_MAILBOX.fullmatch(mailbox):
        # Nearly always: then the domain decides, and an import has few of them.
        return _takes_mail(domain)
    return _checked(text)


@lru_cache(maxsize=1024)
def _takes_mail(domain: str) -> bool:
    return _checked(f"a@{domain}")


def _checked(text: str) -> bool:
    mailbox, _, domain = text.rpartition("@")
    name, dot, last = domain.rpartition(".")
    if not dot or not text.isascii():
        return False
    if last.lower() in _PRIVATE:
        # The library refuses these whatever it is asked for.
        text = f"{mailbox}@{name}.{_PUBLIC}"
    try:
        validate_email(
            text, check_deliverability=False, allow_smtputf8=False, allow_quoted_local=True
        )
    except EmailNotValidError:
        return False
    return True
