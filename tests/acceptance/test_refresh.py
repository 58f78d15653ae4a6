"""Tickets follow their customer users with a real worker, whoever says that somebody changed."""

from pathlib import Path

from tests.acceptance.conftest import Installation
from tests.acceptance.processes import Cli, Daemon, until

CLOSED = 2
"""The id of the state "closed successful"."""


def follow(config: Path) -> None:
    """Have open tickets follow, but for the name, which stays; slapd is watched."""
    text = config.read_text()
    text = text.replace("[[mapping.rules]]", '[mapping]\nrefresh = "open"\n\n[[mapping.rules]]')
    text = text.replace('to = "CustomerName"', 'to = "CustomerName"\nrefresh = "never"')
    text = text.replace("[CustomerUser1]\n", '[CustomerUser1]\nwatch = "modifyTimestamp"\n')
    config.write_text(f"{text}\n[watch]\nevery = 0.5\n")


def by_mail(installation: Installation, login: str) -> int:
    """A ticket that came by mail."""
    ticket = installation.otobo.create_ticket(login)
    installation.otobo.add_article(ticket, "EmailCustomer")
    return ticket


def phone(installation: Installation, ticket: int) -> object:
    return installation.otobo.values(ticket).get("CustomerPhone")


def test_open_tickets_follow_whoever_says_that_somebody_changed(
    installation: Installation, fieldfare: Cli
) -> None:
    follow(installation.config)
    closed, anna, third = (by_mail(installation, who) for who in ("anna", "anna", "user3"))
    worker: Daemon = fieldfare.start("worker", "--concurrency", "1")
    worker.until("worker.started")
    fieldfare("emit", str(closed), str(anna), str(third), "--type", "created")
    until(lambda: all(phone(installation, one) for one in (closed, anna, third)), "all are filled")
    installation.otobo.update_ticket(closed, ticket_state_id=CLOSED)

    # An admin changes somebody.
    values = ("--phone", "VALUE-43", "--firstname", "VALUE-Ann")
    fieldfare("customer-user", "update", "anna", *values, "--local")
    until(lambda: phone(installation, anna) == ["VALUE-43"], "they follow")

    # A program says that somebody was changed.
    installation.crm.execute("UPDATE people SET phone = 'VALUE-44' WHERE login = 'anna'")
    with installation.redis.client() as client:
        client.xadd("fieldfare:events", {"type": "customer_user.changed", "login": "anna"})
    until(lambda: phone(installation, anna) == ["VALUE-44"], "they follow")

    # The directory itself says it. What was changed before anybody asked it, is not announced.
    with installation.redis.client() as client:
        until(lambda: client.exists("fieldfare:watch:CustomerUser1"), "slapd was asked")
    entry = f"cn=VALUE-First VALUE-Last3 {b'user3'.hex()},ou=people,{installation.slapd.base_dn}"
    installation.slapd.replace(entry, {"telephoneNumber": "VALUE-30"})
    until(lambda: phone(installation, third) == ["VALUE-30"], "they follow")

    assert phone(installation, closed) == ["VALUE-42"], "it is closed"
    assert installation.otobo.values(anna)["CustomerName"] == ["VALUE-Anna VALUE-Berg"]
    worker.terminate()
    assert worker.ended() == 0
    with installation.redis.client() as client:
        assert client.zcard("fieldfare:refresh") == 0
        assert client.xlen("fieldfare:dead") == 0
