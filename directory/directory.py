"""Who is this customer user, all sources considered?

The sources are asked in the order of their slots, each once for all logins that are still open.
The first that knows a login supplies everything, nothing is merged (observed 25). A source that
does not answer ends the search: a later source might give the data of another person (D1).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from directory.assignments import Assignments
from directory.attributes import CUSTOMER_ID, Person, complete
from directory.breaker import Observation
from directory.cache import Cache, keeps
from directory.companies import CompanyDirectory
from directory.companions import Companions
from directory.customer_ids import FURTHER_IDS, customer_ids
from directory.database import DatabaseFault
from directory.errors import SourceMisconfigured, SourceUnavailable
from directory.field_search import Holders
from directory.model import SLOTS, Absent, Answer, CustomerUser, Found, Unavailable
from directory.readers import COMPANIES, DYNAMIC_FIELDS, PREFERENCES
from directory.source import CustomerUserSource
from directory.supplier import Supplier
from directory.watch import NO_OUTAGES, Watch

COMPANY_NAME = "CustomerCompanyName"


@dataclass(frozen=True, slots=True)
class Trace:
    """What one source says about one login.

    Attributes:
        slot: the source's slot.
        name: its name for people; its name in the key ``Source`` if it has none.
        answer: what it says, asked by itself and not from the cache.
        decides: whether this is the answer that the directory gives.
    """

    slot: str
    name: str
    answer: Answer
    decides: bool


class Directory:
    """Up to eleven ordered sources, and what the ticket system adds to their answers.

    Args:
        sources: in any order; their slots order them.
        companions: what adds preferences, companies and dynamic fields.
        cache: where answers are kept; without it every source is asked.

    Raises:
        SourceMisconfigured: two sources have the same slot.
    """

    def __init__(
        self,
        sources: Iterable[CustomerUserSource],
        companions: Companions | None = None,
        cache: Cache | None = None,
    ) -> None:
        self._sources = sorted(sources, key=lambda source: SLOTS.index(source.config.slot))
        slots = [source.config.slot for source in self._sources]
        for slot in slots:
            if slots.count(slot) > 1:
                raise SourceMisconfigured(slot, "two sources have this slot; each needs its own")
        self._companions = companions or Companions()
        self._cache = cache
        self._configs = {source.config.slot: source.config for source in self._sources}
        self._suppliers = {slot: Supplier.of(config) for slot, config in self._configs.items()}
        self._observed: dict[str, Observation] = {}

    @property
    def sources(self) -> Sequence[CustomerUserSource]:
        """The sources in the order in which they are asked."""
        return tuple(self._sources)

    @property
    def companions(self) -> Companions:
        """What the ticket system adds to the sources' answers."""
        return self._companions

    def observed(self) -> Mapping[str, Observation]:
        """How those answered last that were asked since this was called last.

        Sources are there by slot, readers of ``directory.companions`` by name. What the cache knew
        says nothing of a source.
        """
        seen, self._observed = self._observed, {}
        return seen

    def readers_of(self, slot: str, variables: Collection[str] | None) -> frozenset[str]:
        """The readers that complete the answers of a source, by name."""
        supplier, readers = self._suppliers[slot], self._companions
        known = frozenset() if readers.companies is None else readers.companies.variables
        asked = {
            PREFERENCES: readers.preferences is not None,
            COMPANIES: supplier.wants_companies(known, variables),
            DYNAMIC_FIELDS: bool(supplier.wanted_fields(variables)),
        }
        return frozenset(name for name, wanted in asked.items() if wanted)

    def find(
        self,
        logins: Iterable[str],
        variables: Collection[str] | None = None,
        *,
        fresh: bool = False,
        outages: Mapping[str, str] = NO_OUTAGES,
    ) -> Mapping[str, Answer]:
        """Look up logins: one statement or search per asked source for some hundred of them.

        Args:
            logins: as tickets spell them. The empty login is nobody's and is not asked for.
            variables: the keys that will be used; only what they need is read. None means all.
            fresh: ask the sources even where the cache knows.
            outages: why sources (by slot) and readers (by name) are not to be asked now. What
                they would be asked for is unavailable, unless the cache knows.

        Returns:
            An answer for each login given. ``Found`` carries all keys of observed rules 42 to 47
            that ``variables`` needs, and may carry more. It is ``stale`` where its source does not
            answer and is set to let an older answer stand in. ``Absent`` is ``cached`` if any
            source's answer came from the cache.
        """
        answers: dict[str, Answer] = {}
        absent: dict[str, Absent] = {}
        skipped: dict[str, Unavailable] = {}
        still_open = list(dict.fromkeys(logins))
        if "" in still_open:
            still_open.remove("")
            answers[""] = Absent()
        watch = Watch(outages)
        for source in self._sources:
            if not still_open:
                break
            said = self._ask(source, still_open, watch, fresh=fresh)
            for login in still_open:
                answer = said[login]
                if isinstance(answer, Found):
                    answers[login] = answer
                elif isinstance(answer, Absent):
                    absent[login] = _both(absent.get(login), answer)
                elif _may_be_skipped(source):
                    skipped.setdefault(login, answer)
                else:
                    answers[login] = answer
            still_open = [login for login in still_open if login not in answers]
        for login in still_open:
            answers[login] = skipped.get(login) or absent.get(login, Absent())
        completed = self._complete(answers, variables, watch)
        self._observed |= watch.seen
        return completed

    def trace(self, login: str) -> Sequence[Trace]:
        """Ask every source about one login, also those behind the one that decides."""
        if not login:
            return ()
        said = [(source, source.find([login])[login]) for source in self._sources]
        decisive = [not isinstance(answer, Absent) for _, answer in said]
        kept = [
            decides and not (isinstance(answer, Unavailable) and _may_be_skipped(source))
            for decides, (source, answer) in zip(decisive, said, strict=True)
        ]
        # A source that was skipped decides after all if nobody else knows the login.
        first = (kept if any(kept) else decisive) + [True]
        return tuple(
            Trace(
                slot=source.config.slot,
                name=source.config.name or source.config.source_name,
                answer=answer,
                decides=number == first.index(True),
            )
            for number, (source, answer) in enumerate(said)
        )

    def company_names(
        self, customer_ids: Iterable[str], outages: Mapping[str, str] = NO_OUTAGES
    ) -> Mapping[str, str]:
        """CustomerCompanyName by customer id, for people to read.

        Args:
            customer_ids: of the customers.
            outages: as for ``find``.

        Returns:
            Unknown customers are missing, and so are all while their database does not answer.
        """
        reader = self._companions.companies
        if reader is None:
            return {}
        try:
            found = Watch(outages).reader(COMPANIES, partial(reader.read, customer_ids))
        except DatabaseFault:
            return {}
        names = {key: company.get(COMPANY_NAME) for key, company in found.items()}
        return {key: name for key, name in names.items() if isinstance(name, str)}

    def customer_ids(self, login: str) -> tuple[str, ...] | Unavailable:
        """Ids of the customers that a customer user belongs to; see ``directory.customer_ids``."""
        answer = self.find([login], {FURTHER_IDS, CUSTOMER_ID})[login]
        if isinstance(answer, Unavailable):
            return answer
        if isinstance(answer, Found) and answer.stale:
            return Unavailable(answer.customer_user.slot, answer.stale)
        assigned: Sequence[str] = ()
        if self._companions.assignments is not None and login:
            try:
                assigned = self._companions.assignments.customers_of(login)
            except DatabaseFault as fault:
                return Unavailable("", f"assigned customers could not be read: {fault.reason}")
        if not isinstance(answer, Found):
            return customer_ids(None, {}, assigned)
        user = answer.customer_user
        return customer_ids(self._configs[user.slot], user.attributes, assigned)

    def customer_id_list(
        self, term: str = "", *, valid_only: bool = True
    ) -> tuple[str, ...] | Unavailable:
        """The customer ids of all sources, each once, sorted without regard to case."""
        found: set[str] = set()
        for source in self._sources:
            try:
                found |= set(source.customer_ids(term, valid_only=valid_only))
            except SourceUnavailable as error:
                return Unavailable(error.slot, error.reason)
        return tuple(sorted(found, key=lambda id_: (id_.lower(), id_)))

    @property
    def field_holders(self) -> Holders | None:
        """Whose dynamic fields fit, where the ticket system can be asked; see ``finding``."""
        fields = self._companions.dynamic_fields
        return None if fields is None else fields.holders

    @property
    def assignments(self) -> Assignments | None:
        """The relations between customer users and customers, where they can be read."""
        return self._companions.assignments

    @property
    def customers(self) -> CompanyDirectory:
        """The sources of customers (companies), for those who administer them."""
        return self._companions.customers or CompanyDirectory(())

    def forget(self, logins: Iterable[str]) -> None:
        """Drop what the cache knows of customer users whose data were changed.

        Raises:
            redis.RedisError: it may still know them, until they expire.
        """
        changed = list(logins)
        if self._cache is None or not changed:
            return
        for source in self._sources:
            if keeps(source.config):
                self._cache.forget(source, changed)

    def close(self) -> None:
        """Close all connections; the next ``find`` opens them again."""
        for source in self._sources:
            source.close()
        self._companions.close()

    def _ask(
        self, source: CustomerUserSource, logins: Sequence[str], watch: Watch, *, fresh: bool
    ) -> Mapping[str, Answer]:
        slot = source.config.slot
        cache = self._cache if keeps(source.config) else None
        if cache is None:
            if slot in watch.outages:
                return dict.fromkeys(logins, Unavailable(slot, watch.outages[slot]))
            return watch.source(slot, partial(source.find, logins))
        if slot in watch.outages:
            kept = {} if fresh else cache.kept(source, logins)
            silent = dict.fromkeys(logins, Unavailable(slot, watch.outages[slot]))
            return cache.stand_in(source, {**silent, **kept})
        said = watch.source(slot, partial(cache.find, source, logins, fresh=fresh))
        return cache.stand_in(source, said)

    def _complete(
        self, answers: Mapping[str, Answer], variables: Collection[str] | None, watch: Watch
    ) -> Mapping[str, Answer]:
        """Add what the ticket system knows; whom it cannot be read for is unavailable."""
        people = {
            login: Person(self._suppliers[answer.customer_user.slot], answer.customer_user)
            for login, answer in answers.items()
            if isinstance(answer, Found)
        }
        completed = complete(people, self._companions, variables, watch)
        return {
            login: _replaced(answer, completed[login]) if isinstance(answer, Found) else answer
            for login, answer in answers.items()
        }


def _both(earlier: Absent | None, later: Absent) -> Absent:
    """What two sources say that do not know a login."""
    if earlier is None:
        return later
    return Absent(earlier.reason or later.reason, cached=earlier.cached or later.cached)


def _may_be_skipped(source: CustomerUserSource) -> bool:
    return source.config.on_unavailable == "skip"


def _replaced(answer: Found, completed: CustomerUser | Unavailable) -> Answer:
    if isinstance(completed, Unavailable):
        return completed
    return Found(completed, answer.cached, answer.stale)
