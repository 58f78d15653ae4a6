"""Customer users in an LDAP directory: OTOBO's ``Kernel::System::CustomerUser::LDAP``, read only.

One search asks for up to 200 logins. Which entry belongs to which login is decided here, by the
values of the key attribute; where that leaves a doubt, the login is asked for alone. Absent is
only what the server, after a search that ended in success, did not have (design 1.1).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from directory.changes import NO_WATCH, Changes
from directory.changes_ldap import changes_of_tree
from directory.config import LdapSourceConfig
from directory.customer_id_list_ldap import ids_in_ldap
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.ldap_ber import all_of, any_of, equals, present
from directory.ldap_connection import LdapClient, NoAnswer, check_dn, compiled
from directory.ldap_messages import (
    ADMIN_LIMIT_EXCEEDED,
    INAPPROPRIATE_MATCHING,
    INVALID_ATTRIBUTE_SYNTAX,
    INVALID_DN_SYNTAX,
    NO_SUCH_OBJECT,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    Entry,
    Reply,
    Search,
)
from directory.ldap_pages import CutShort, SearchRefused
from directory.ldap_text import attribute_value, matched, text_or_none
from directory.ldap_wire import Deadline
from directory.model import Absent, Answer, AttributeValue, CustomerUser, Found, Unavailable
from directory.names import listed_fields
from directory.search import Matches, Query
from directory.search_ldap import find_in_tree

LOGINS_PER_SEARCH = 200
"""As many alternatives as a filter may well have: slapd stops at 500."""

LIMITS = frozenset({SIZE_LIMIT_EXCEEDED, ADMIN_LIMIT_EXCEEDED})
"""Results that may mean: fewer logins at once."""

LOGIN_FAULTS = frozenset({INAPPROPRIATE_MATCHING, INVALID_ATTRIBUTE_SYNTAX, INVALID_DN_SYNTAX})
"""Results that may mean: this login cannot be a value of the key attribute."""

ANY_ENTRY = present("objectClass")
NO_ATTRIBUTES = ("1.1",)
HARMLESS_LOGIN = "fieldfare"

_Outcome: TypeAlias = Entry | Absent | Unavailable


class LdapSource:
    """A ``CustomerUserSource`` over one LDAP directory, with one connection for each process."""

    def __init__(self, config: LdapSourceConfig) -> None:
        """Check the settings; nothing is connected.

        Raises:
            SourceMisconfigured: a host, BaseDN, AlwaysFilter, SourceCharset, CustomerKey or the
                Map can never work.
        """
        _check(config)
        self._config = config
        self._always = [compiled(f"(&{config.always_filter})")] if config.always_filter else []
        self._client = LdapClient(config)
        secret = {row.storage.lower() for row in config.map if row.variable == "UserPassword"}
        secret.add("userpassword")
        fields = {row.storage for row in config.map if row.storage_type == "dynamic_field"}
        # The last row of a variable wins (observed rule 47). Password hashes are never read.
        self._storages = {
            row.variable: row.storage.lower()
            for row in config.map
            if row.storage_type != "dynamic_field" and row.storage.lower() not in secret
        }
        if "UserLogin" not in self._storages:
            problem = (
                'the Map has no UserLogin, so no entry is a customer user; right: UserLogin = "uid"'
            )
            raise SourceMisconfigured(config.slot, problem)
        self._key = config.customer_key.lower()
        self._key_with_options = f"{self._key};"
        # UserFullname is made from these, mapped or not, as it is from an SQL table's columns.
        self._names = tuple(
            name for name in config.name_fields if name not in fields and name.lower() not in secret
        )
        listed = (name for name, _ in listed_fields(config) if name.lower() not in secret)
        self._shown = tuple(dict.fromkeys((*self._names, *listed)))
        self._attributes = tuple(
            dict.fromkeys((self._key, *self._storages.values(), *map(str.lower, self._names)))
        )

    @property
    def config(self) -> LdapSourceConfig:
        """The settings of this source."""
        return self._config

    def login_key(self, login: str) -> str:
        """The login as it stands: whether case counts is known to the server alone."""
        return login

    def find(self, logins: Sequence[str]) -> Mapping[str, Answer]:
        """Look up logins, 200 in one search; all of it ends before ``config.timeout`` is over.

        TranslateManagerTo costs one more search for each different manager.
        """
        deadline = Deadline.after(self._config.timeout)
        outcomes: dict[str, _Outcome] = {}
        sent = []
        for login in logins:
            problem = self._problem(login)
            if problem:
                outcomes[login] = Absent(problem)
            else:
                sent.append(login)
        for start in range(0, len(sent), LOGINS_PER_SEARCH):
            outcomes |= self._ask(sent[start : start + LOGINS_PER_SEARCH], deadline)
        managers: dict[str, Sequence[bytes] | Unavailable] = {}
        return {
            login: self._answer(outcomes[login], managers, deadline, self._names)
            for login in logins
        }

    def customer_ids(self, term: str = "", *, valid_only: bool = True) -> frozenset[str]:
        """The customer ids of its customer users; see ``directory.customer_id_list``.

        Raises:
            SourceUnavailable: the server does not answer, or does not answer in full.
        """
        return ids_in_ldap(self._client, self._config, term, valid_only=valid_only)

    def search(self, query: Query) -> Matches:
        """Find customer users; see ``CustomerUserSource.search`` and ``directory.search_ldap``.

        A CustomerUserValidFilter and a GroupDN count, as they do for searches alone.

        Raises:
            SourceUnavailable: the server does not answer.
        """
        deadline = Deadline.after(self._config.timeout)
        managers: dict[str, Sequence[bytes] | Unavailable] = {}

        def customer_user(entry: Entry) -> CustomerUser | None:
            match self._answer(entry, managers, deadline, self._shown):
                case Found(customer_user=user):
                    return user
                case Unavailable(reason=reason):
                    raise NoAnswer(reason)
            return None

        try:
            ask = partial(self._client.search, deadline=deadline)
            attributes = self._read_by(query)
            return find_in_tree(ask, self._config, attributes, query, customer_user)
        except NoAnswer as error:
            raise SourceUnavailable(self._config.slot, str(error)) from error
        except SearchRefused as refused:
            raise SourceUnavailable(self._config.slot, self._refusal(refused.reply)) from refused

    def changes(self, since: str) -> Changes:
        """Who was changed; see ``directory.changes.ChangingSource``.

        Raises:
            SourceUnavailable: the server does not answer, or not in full; there is no attribute
                to tell from.
        """
        config = self._config
        if not config.watch:
            raise SourceUnavailable(config.slot, NO_WATCH)
        ask = partial(self._client.search, deadline=Deadline.after(config.timeout))
        try:
            return changes_of_tree(ask, config, config.watch, since)
        except (NoAnswer, CutShort) as error:
            raise SourceUnavailable(config.slot, str(error)) from error
        except SearchRefused as refused:
            raise SourceUnavailable(config.slot, self._refusal(refused.reply)) from refused

    def ping(self) -> None:
        """Read the entry that the search begins with.

        Raises:
            SourceUnavailable: the server does not answer, refuses the bind, or has no such entry.
        """
        request = Search(self._config.base_dn, "base", ANY_ENTRY, NO_ATTRIBUTES)
        try:
            reply = self._client.search(request, Deadline.after(self._config.timeout))
        except NoAnswer as error:
            raise SourceUnavailable(self._config.slot, str(error)) from error
        if reply.code != SUCCESS:
            raise SourceUnavailable(self._config.slot, self._refusal(reply))

    def check(self) -> None:
        """Make sure that somebody can be found at all; see ``CustomerUserSource.check``.

        To LDAP a misspelt attribute is no error: every search ends well and finds nobody, and
        that would empty the fields of every ticket.
        """
        request = Search(
            self._config.base_dn,
            self._config.sscope,
            all_of([present(self._key), *self._always]),
            (self._key,),
            size_limit=1,
        )
        try:
            reply = self._client.search(request, Deadline.after(self._config.timeout))
        except NoAnswer as error:
            raise SourceUnavailable(self._config.slot, str(error)) from error
        if reply.code not in {SUCCESS, *LIMITS}:
            raise SourceUnavailable(self._config.slot, self._refusal(reply))
        if not any(self._keys(entry) for entry in reply.entries):
            raise SourceMisconfigured(
                self._config.slot,
                f"below base_dn {self._config.base_dn!r} no entry with the attribute "
                f"{self._config.customer_key!r} can be read, so every login would count as "
                "unknown; look at customer_key, base_dn, sscope, always_filter, and at what "
                "user_dn may read",
            )

    def close(self) -> None:
        """Close the connection; the next ``find`` opens it again."""
        self._client.close()

    def _problem(self, login: str) -> str:
        """Why a login cannot exist in an LDAP directory, else nothing."""
        if not login:
            return "the login is empty"
        if "\0" in login:
            return "the login holds a NUL character"
        try:
            login.encode(self._config.source_charset)
        except UnicodeEncodeError:
            return f"the login cannot be written in {self._config.source_charset}"
        return ""

    def _ask(self, logins: Sequence[str], deadline: Deadline) -> dict[str, _Outcome]:
        """One search for all of them, and further ones only where it leaves a doubt."""
        try:
            reply = self._client.search(self._request(logins), deadline)
        except NoAnswer as error:
            return dict.fromkeys(logins, self._unavailable(str(error)))
        if reply.code == SUCCESS:
            return self._assigned(logins, reply.entries, deadline)
        ours = reply.code in LOGIN_FAULTS and self._takes_other_logins(deadline)
        if (ours or reply.code in LIMITS) and len(logins) > 1:
            return self._halves(logins, deadline)
        if ours:
            return {logins[0]: Absent(f"the server cannot compare the login: {reply.name}")}
        return dict.fromkeys(logins, self._unavailable(self._refusal(reply)))

    def _takes_other_logins(self, deadline: Deadline) -> bool:
        """Whether the same search works for a plain login, so that the fault is the login's."""
        try:
            reply = self._client.search(self._request([HARMLESS_LOGIN]), deadline)
        except NoAnswer:
            return False
        return reply.code == SUCCESS

    def _assigned(
        self, logins: Sequence[str], entries: Sequence[Entry], deadline: Deadline
    ) -> dict[str, _Outcome]:
        """Give each entry to the login that it fits, and ask anew for logins that share one."""
        keys = [self._keys(entry) for entry in entries]
        first, shared = matched(logins, keys)
        outcomes: dict[str, _Outcome] = dict.fromkeys(logins, Absent())
        outcomes |= {login: entries[index] for login, index in first.items()}
        for login in sorted(shared):
            outcomes |= self._ask([login], deadline)
        if not all(keys):
            # Somebody's entry came without its key. Find out whose, for that one is not absent.
            rest = [login for login in logins if login not in first and login not in shared]
            problem = (
                f"an entry came without {self._config.customer_key}: the attribute may not be "
                "read, or the server calls it by another name"
            )
            outcomes |= (
                self._halves(rest, deadline)
                if len(logins) > 1
                else dict.fromkeys(rest, self._unavailable(problem))
            )
        return outcomes

    def _halves(self, logins: Sequence[str], deadline: Deadline) -> dict[str, _Outcome]:
        half = len(logins) // 2
        outcomes: dict[str, _Outcome] = {}
        for part in filter(None, (logins[:half], logins[half:])):
            outcomes |= self._ask(part, deadline)
        return outcomes

    def _keys(self, entry: Entry) -> list[str]:
        """The texts of the key attribute, its variants with options included."""
        charset = self._config.source_charset
        return [
            octets.decode(charset, "replace")
            for name, values in entry.attributes.items()
            if name == self._key or name.startswith(self._key_with_options)
            for octets in values
        ]

    def _answer(
        self,
        outcome: _Outcome,
        managers: dict[str, Sequence[bytes] | Unavailable],
        deadline: Deadline,
        shown: Sequence[str],
    ) -> Answer:
        if not isinstance(outcome, Entry):
            return outcome
        charset = self._config.source_charset
        attributes: dict[str, AttributeValue] = {}
        for variable, storage in self._storages.items():
            octets = outcome.attributes.get(storage, ())
            if not octets:
                continue
            if storage == "manager" and self._config.translate_manager_to:
                translated = self._translated(octets, managers, deadline)
                if isinstance(translated, Unavailable):
                    return translated
                octets = translated
            elif storage == "targetaddress":
                octets = [value.removeprefix(b"SMTP:") for value in octets]
            value = attribute_value(octets, charset)
            if value is not None:
                attributes[variable] = value
        login = attributes.get("UserLogin", b"")
        if isinstance(login, tuple):
            login = login[0]
        if isinstance(login, bytes):
            # Observed rule 34.
            return Absent(f"its entry has no text in {self._storages['UserLogin']}")
        attributes["UserLogin"] = login
        by_storage = {
            name: value
            for name in shown
            if (value := attribute_value(outcome.attributes.get(name.lower(), ()), charset))
        }
        return Found(CustomerUser(self._config.slot, login, attributes, by_storage))

    def _translated(
        self,
        dns: Iterable[bytes],
        managers: dict[str, Sequence[bytes] | Unavailable],
        deadline: Deadline,
    ) -> Sequence[bytes] | Unavailable:
        """The values that stand in for the managers' DNs; none for a DN that leads nowhere (D6)."""
        values: list[bytes] = []
        for octets in dns:
            dn = text_or_none(octets, self._config.source_charset)
            if not dn:
                continue
            if dn not in managers:
                managers[dn] = self._manager(dn, deadline)
            manager = managers[dn]
            if isinstance(manager, Unavailable):
                return manager
            values += manager
        return values

    def _manager(self, dn: str, deadline: Deadline) -> Sequence[bytes] | Unavailable:
        attribute = str(self._config.translate_manager_to)
        try:
            reply = self._client.search(Search(dn, "base", ANY_ENTRY, (attribute,)), deadline)
        except NoAnswer as error:
            return self._unavailable(str(error))
        if reply.code in {NO_SUCH_OBJECT, INVALID_DN_SYNTAX}:
            return ()
        if reply.code != SUCCESS:
            return self._unavailable(self._refusal(reply))
        return [
            value
            for entry in reply.entries
            for value in entry.attributes.get(attribute.lower(), ())
        ]

    def _request(self, logins: Sequence[str]) -> Search:
        charset = self._config.source_charset
        anyone = any_of([equals(self._key, login.encode(charset)) for login in logins])
        return Search(
            self._config.base_dn,
            self._config.sscope,
            all_of([anyone, *self._always]),
            self._attributes,
        )

    def _read_by(self, query: Query) -> Sequence[str]:
        """The attributes that a query reads, the key and the login included."""
        names = (
            name
            for variable, name in self._storages.items()
            if query.variables is None or variable in {*query.variables, "UserLogin"}
        )
        return tuple(dict.fromkeys((self._key, *names, *map(str.lower, self._shown))))

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(self._config.slot, reason)

    def _refusal(self, reply: Reply) -> str:
        """What a result other than success means; the server's own text could quote a value."""
        if reply.code == NO_SUCH_OBJECT:
            return (
                f"noSuchObject: base_dn {self._config.base_dn!r} does not exist or may not be read"
            )
        return f"{reply.name} (result {reply.code})"


def _check(config: LdapSourceConfig) -> None:
    """Refuse what no server could ever answer, with an example of right."""
    if config.base_dn:  # empty is the root of the tree
        try:
            check_dn(config.base_dn)
        except ValueError:
            _refuse(config, "base_dn", config.base_dn, "ou=people,dc=example,dc=org")
    if config.always_filter:
        try:
            # Several filters in a row are as good as one: they stand in an AND.
            compiled(f"(&{config.always_filter})")
        except ValueError:
            _refuse(config, "always_filter", config.always_filter, "(objectclass=inetOrgPerson)")
    try:
        "a".encode(config.source_charset)
    except LookupError:
        _refuse(config, "source_charset", config.source_charset, "iso-8859-1")
    if set(config.customer_key) & set("()=*&|!<>~:\\ \0"):
        _refuse(config, "customer_key", config.customer_key, "uid")


def _refuse(config: LdapSourceConfig, option: str, value: str, right: str) -> None:
    raise SourceMisconfigured(config.slot, f'{option} {value!r} cannot be read; right: "{right}"')
