"""What does the directory say of a customer user? Plain data, for programs that call a task.

``answer`` is the same word as everywhere: ``found``, ``absent`` or ``unavailable``. A caller must
not take the third for the second.
"""

import base64
from typing import Any

from directory.model import Attributes, AttributeValue, Found, Unavailable, source_name
from directory.writable import why_not
from directory.writing import version
from mapping.values import SECRETS
from worker.services import Services


def get(services: Services, *, login: str) -> dict[str, Any]:
    """Say what the sources know of a customer user; they are asked anew.

    Args:
        services: with the directory.
        login: as a ticket spells it.

    Returns:
        Always ``login`` as given, ``answer``, and ``source`` (``CustomerUser1``; None when absent).
        Found: ``customer_user``, the login as the source spells it, and ``attributes``, the values
        of the source's Map; a text, a list of texts, or ``{"base64": …}`` for bytes; ``version``,
        which is another one as soon as any of them is, and ``writable``: whether the source can
        be written to.
        Otherwise: ``reason``, free of values and maybe empty.
    """
    answer = services.directory.find([login], variables=(), fresh=True)[login]
    if isinstance(answer, Found) and answer.stale:
        # Who asks wants to know how it is now.
        answer = Unavailable(answer.customer_user.slot, answer.stale)
    match answer:
        case Found(customer_user=found):
            (source,) = (one for one in services.directory.sources if one.config.slot == found.slot)
            mapped = source.config.storages
            stored = {name: value for name, value in found.attributes.items() if name in mapped}
            return {
                "login": login,
                "answer": "found",
                "source": source_name(found.slot),
                "customer_user": found.login,
                "attributes": dict(sorted(plain(found.attributes).items())),
                "version": version(stored),
                "writable": not why_not(source),
            }
        case Unavailable(slot=slot, reason=reason):
            return {
                "login": login,
                "answer": "unavailable",
                "source": source_name(slot),
                "reason": reason,
            }
    return {"login": login, "answer": "absent", "source": None, "reason": answer.reason}


def plain(attributes: Attributes) -> dict[str, Any]:
    """Attributes as plain data, without secrets."""
    if isinstance(attributes, dict) and attributes.keys().isdisjoint(SECRETS):
        try:
            "".join(attributes.values())
        except TypeError:
            pass  # not all of them are texts
        else:
            return attributes  # nearly always, and lists are long
    return {name: _json(value) for name, value in attributes.items() if name not in SECRETS}


def _json(value: AttributeValue) -> Any:
    match value:
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case tuple():
            return list(value)
    return value
