"""What counts as an email address: nearly what OTOBO takes for one (directory_write-10)."""

import pytest

from directory.email_address import is_email_address


@pytest.mark.parametrize(
    "text",
    [
        "jdoe@cust.test",
        '"quoted"@cust.test',
        "o'brien+tickets@mail.example.org",
        "jane@office.local",
        "jane@SITE.LOCAL",
        "jane@x.invalid",
        "a@b.de",
    ],
)
def test_an_address_that_mail_can_be_sent_to(text: str) -> None:
    assert is_email_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nomail",
        "a@b",
        "a@localhost",
        "a b@cust.test",
        "a@cust..test",
        ".a@cust.test",
        "a@cust.test.",
        "@cust.test",
        "a@-cust.test",
        "a@cust.test\n",
        "a@b.de, c@d.de",
        "ü@cust.test",
        "a@bücher.example",
        # OTOBO takes these, and stores them as they are (D31).
        "a@cust.test ",
        " a2@cust.test",
        "Jane <j@cust.test>",
    ],
)
def test_no_address_that_mail_can_be_sent_to(text: str) -> None:
    assert not is_email_address(text)


@pytest.mark.parametrize("domain", ["cust.test", "mail.example.org", "cust..test", "b.c>", "x y"])
def test_a_domain_counts_the_same_whatever_stands_before_it(domain: str) -> None:
    usual = domain in {"cust.test", "mail.example.org"}

    for mailbox in ("jane", "j.d+1", "x" * 64):
        assert is_email_address(f"{mailbox}@{domain}") is usual
    for mailbox in ("a..b", "a b", ""):
        assert not is_email_address(f"{mailbox}@{domain}")


def test_an_address_can_be_too_long() -> None:
    assert not is_email_address(f"jane@{'x' * 250}.test")
