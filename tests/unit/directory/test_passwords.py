"""Stored passwords: the forms of recorded directory_write-23, checked by other programs."""

import shutil
import subprocess

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory import passwords
from directory.config import PasswordForm
from directory.refusals import Refused

RECORDED = "pässword"

PERL = r"""
use Digest::SHA qw(sha1_hex sha256_hex sha512_hex);
my ($form, $salt) = @ARGV;
my $password = do { local $/; <STDIN> };
print $form eq 'crypt' ? crypt($password, $salt)
    : $form eq 'sha1' ? sha1_hex($password)
    : $form eq 'sha2' ? sha256_hex($password)
    : sha512_hex($password);
"""

BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def by_perl(form: str, password: str, salt: str = "") -> str:
    """What Perl makes of a password, as OTOBO does it."""
    command = [str(shutil.which("perl")), "-e", PERL, form, salt]
    return subprocess.run(
        command, input=password.encode(), capture_output=True, check=True
    ).stdout.decode()


def by_openssl(option: str, password: str, salt: str) -> str:
    command = [str(shutil.which("openssl")), "passwd", option, "-salt", salt, "-stdin"]
    answer = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    return answer.stdout.decode().strip()


def bits(octets: bytes) -> str:
    """Octets as bcrypt writes them: six bits a character, from the left."""
    text = "".join(f"{octet:08b}" for octet in octets)
    text += "0" * (-len(text) % 6)
    return "".join(BCRYPT_ALPHABET[int(text[at : at + 6], 2)] for at in range(0, len(text), 6))


def matches(password: str, stored: str) -> bool:
    """Whether bcrypt itself takes a stored form for this password's."""
    label, cost, salt, hashed = stored.split(":")
    assert label == "BCRYPT"
    return bcrypt.checkpw(
        password.encode(), f"$2a${int(cost):02}${bits(salt.encode())}{hashed}".encode()
    )


@pytest.mark.parametrize(
    ("form", "length", "prefix"),
    [
        ("plain", 8, RECORDED),
        ("crypt", 13, "jdZ"),
        ("md5", 30, "$1$jdoe$"),
        ("apr1", 33, "$apr1$jdoe$"),
        ("sha1", 40, ""),
        ("sha2", 64, ""),
        ("sha512", 128, ""),
        ("bcrypt", 58, "BCRYPT:12:"),
    ],
)
def test_each_form_looks_as_recorded(form: PasswordForm, length: int, prefix: str) -> None:
    stored = passwords.stored_form(RECORDED, form, "jdoe")

    assert len(stored) == length
    assert stored.startswith(prefix)
    assert length <= passwords.stored_length(RECORDED, form)


def test_bcrypt_takes_its_own_hash_back_out_of_the_form() -> None:
    stored = passwords.stored_form(RECORDED, "bcrypt", "jdoe", 9)

    assert stored.startswith("BCRYPT:9:")
    assert matches(RECORDED, stored)
    assert not matches("password", stored)
    assert stored != passwords.stored_form(RECORDED, "bcrypt", "jdoe", 9)


@pytest.mark.parametrize("form", ["sha1", "sha2", "sha512"])
@pytest.mark.parametrize("password", [RECORDED, "secret", " blanks ", "日本", "x" * 500])
def test_perl_computes_the_same_digest(form: PasswordForm, password: str) -> None:
    assert passwords.stored_form(password, form, "jdoe") == by_perl(form, password)


@pytest.mark.parametrize("login", ["jdoe", "./", "0a"])
def test_perl_computes_the_same_unix_crypt(login: str) -> None:
    expected = by_perl("crypt", RECORDED, login[:2])

    assert passwords.stored_form(RECORDED, "crypt", login) == expected


@pytest.mark.parametrize(("form", "option"), [("md5", "-1"), ("apr1", "-apr1")])
@pytest.mark.parametrize("password", [RECORDED, "secret", "a much longer pass phrase, of words"])
def test_openssl_computes_the_same_md5_crypt(
    form: PasswordForm, option: str, password: str
) -> None:
    stored = passwords.stored_form(password, form, "jane.doe.at.acme")

    assert stored == by_openssl(option, password, "jane.doe")


@pytest.mark.parametrize("login", ["ü", "a", "jane$doe", "a b", "jane@x.org"])
def test_where_a_login_makes_no_salt_the_salt_is_random_and_can_be_read_back(login: str) -> None:
    crypted = passwords.stored_form("secret", "crypt", login)
    hashed = passwords.stored_form("secret", "apr1", login)

    assert crypted == by_perl("crypt", "secret", crypted[:2])
    assert hashed == by_openssl("-apr1", "secret", hashed.split("$")[2])


def test_two_logins_that_make_no_salt_do_not_share_one() -> None:
    stored = {passwords.stored_form("secret", "md5", "ü") for _ in range(4)}

    assert len(stored) == 4


@pytest.mark.parametrize(
    ("password", "form", "error", "says"),
    [
        ("", "bcrypt", "required", "have one generated"),
        ("", "plain", "required", "empty"),
        ("a\0b", "bcrypt", "not_valid_utf8", "NUL"),
        ("a\0b", "sha2", "not_valid_utf8", "NUL"),
        ("a\ud800b", "plain", "not_valid_utf8", "Unicode"),
        ("x" * 73, "bcrypt", "too_long", "73 octets"),
        ("ü" * 37, "bcrypt", "too_long", "74 octets"),
    ],
)
def test_a_password_that_would_not_be_kept_whole_is_refused(
    password: str, form: PasswordForm, error: str, says: str
) -> None:
    with pytest.raises(Refused) as refused:
        passwords.stored_form(password, form, "jdoe")

    assert (refused.value.error, refused.value.field) == (error, "UserPassword")
    assert says in refused.value.message
    assert not password or password not in refused.value.message


def test_bcrypt_takes_72_octets_and_the_other_forms_take_more() -> None:
    assert matches("x" * 72, passwords.stored_form("x" * 72, "bcrypt", "jdoe", 9))
    assert passwords.refusal("x" * 73, "sha2") is None


@given(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=18
    ),
    st.text(max_size=12),
)
@settings(max_examples=25, deadline=None)
def test_every_form_takes_every_text_and_every_login(password: str, login: str) -> None:
    for form in ("sha512", "sha2", "sha1", "md5", "apr1", "crypt", "plain"):
        stored = passwords.stored_form(password, form, login)

        assert 0 < len(stored) <= passwords.stored_length(password, form)


def test_generated_passwords_have_the_length_asked_for_and_differ() -> None:
    made = {passwords.generate(20) for _ in range(50)}

    assert len(made) == 50
    assert {len(password) for password in made} == {20}
    assert set("".join(made)) <= set(passwords.ALPHABET)
    assert len(passwords.generate()) == 8


@pytest.mark.parametrize("length", [-1, 0, 7, 73])
def test_no_password_is_generated_that_is_too_short_or_too_long(length: int) -> None:
    with pytest.raises(Refused, match="8 to 72 characters"):
        passwords.generate(length)
