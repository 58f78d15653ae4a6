"""Is this an email address? One that mail can be sent to, by its syntax; no name server is asked.

What counts is what can be written behind ``RCPT TO`` by a ticket system that knows nothing but
ASCII: no name before the address, no blanks around it, a domain with a dot. Domains that only a
site's own servers know (``x.local``, ``x.test``) are domains, too.
"""

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

_PRIVATE = frozenset(SPECIAL_USE_DOMAIN_NAMES)
_PUBLIC = "example"


def is_email_address(text: str) -> bool:
    """Whether mail can be sent to it, as far as its syntax tells."""
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
