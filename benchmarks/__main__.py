"""``python -m benchmarks``: measure everything, print a table, write results/latest.jsonl.

A full run also brings docs/performance.md up to date, with its pictures.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import admin, bare, costs, growth, live, plots, resync, world
from benchmarks.figures import Figure, beside, markdown, merged, put_into, read, show, write
from benchmarks.processes import Stuck
from benchmarks.rates import enrich_rate, noop_rate
from tests.servers import PostgresqlServer, SlapdServer, redis_server
from worker import embed, garbage, logs

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
REPEATS = 3


class Database(PostgresqlServer):
    """PostgreSQL as for a small production: fsync on, and memory for what is in use."""

    def __init__(self) -> None:
        super().__init__(fsync=True)

    def command(self) -> Sequence[str]:
        return (*super().command(), "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB")


class Run:
    """One run of the benchmarks.

    Attributes:
        figures: what was measured so far.
        samples: every single measurement, by name.
    """

    def __init__(self, folder: Path, share: float) -> None:
        self.folder = folder
        self.log = folder / "worker.log"
        self.figures: list[Figure] = []
        self.samples: dict[str, list[float]] = {}
        self._share = share
        self._say = Console(stderr=True, highlight=False)

    def of(self, number: int) -> int:
        """A number of events, or its share in a short run."""
        return max(400, int(number * self._share))

    def times(self, number: int) -> int:
        """How often something is measured, or its share in a short run."""
        return max(5, int(number * self._share))

    def beside_bare(
        self, name: str, taken: Sequence[float], bare: Sequence[float], unit: str = "ms"
    ) -> None:
        """Keep a figure beside the bare query for the same."""
        reference = Figure(f"{name}_bare", round(statistics.median(bare), 3), unit)
        figure = beside(name, [round(one, 3) for one in taken], unit, reference)
        self.say(f"  {name}: {figure.value:,.4g} {unit}, bare {reference.value:,.4g} {unit}")
        self.figures.append(figure)

    def say(self, what: str) -> None:
        self._say.print(what, markup=False)

    def took(self, name: str, value: float) -> None:
        """Keep one measurement."""
        self.samples.setdefault(name, []).append(value)
        self.say(f"  {name}: {value:,.4g}")

    def config(
        self, system: world.TicketSystem, redis_url: str, *sources: Mapping[str, Any], **more: Any
    ) -> Path:
        """A settings file for this process and all that it starts."""
        path = world.settings(self.folder, system.url, redis_url, *sources, **more)
        os.environ["FIELDFARE_CONFIG"] = str(path)
        return path

    def reference(self, redis_url: str) -> None:
        """What Celery carries now; taken several times, for the machine may be noisy."""
        self.took("celery_noop", noop_rate(redis_url, self.of(20_000), self.log))

    def rates(self) -> None:
        """The figures of the rates, beside the reference of the whole run."""
        noop = Figure("celery_noop", statistics.median(self.samples["celery_noop"]), "1/s")
        self.figures.append(noop)
        for name in (
            "enrich_changing_sql",
            "enrich_changing_ldap",
            "enrich_unchanged",
            "enrich_sqlite",
            "enrich_first_fill",
            "enrich_changing_bare",
        ):
            if name in self.samples:
                self.figures.append(beside(name, self.samples[name], "1/s", noop))


def sql(run: Run, database: Database, redis_url: str) -> None:
    """Changing and unchanged tickets, with the customer users in the ticket database."""
    run.say("SQL source")
    events = run.of(20_000)
    tickets = range(1, events + 1)
    system = world.TicketSystem(database.create_database(), events)
    config = run.config(system, redis_url, world.sql_source())
    run.took("enrich_first_fill", enrich_rate(config, redis_url, tickets, run.log))
    system.expect("0", events)
    for repeat in range(REPEATS):
        run.reference(redis_url)
        system.change_everybody(f"r{repeat}")
        run.took("enrich_changing_sql", enrich_rate(config, redis_url, tickets, run.log))
        system.expect(f"r{repeat}", events)
        run.took("enrich_unchanged", enrich_rate(config, redis_url, tickets, run.log))
        system.change_everybody(f"b{repeat}")
        run.took("enrich_changing_bare", bare.change_rate(system, f"b{repeat}"))
        system.expect(f"b{repeat}", events)
    system.close()


def ldap(run: Run, database: Database, redis_url: str, slapd: SlapdServer) -> None:
    """Changing tickets, with the customer users in an LDAP server that has nobody else."""
    run.say("LDAP source")
    events = run.of(20_000)
    words = {"people": "a", "people2": "b"}
    world.fill(slapd, events, words)
    system = world.TicketSystem(database.create_database(), events)
    system.fill("0")
    for repeat in range(REPEATS):
        unit = list(words)[repeat % len(words)]
        config = run.config(system, redis_url, world.ldap_source(slapd, unit))
        rate = enrich_rate(config, redis_url, range(1, events + 1), run.log)
        run.took("enrich_changing_ldap", rate)
        system.expect(words[unit], events)
    batch = range(1, 202)
    searches = costs.searches(config, redis_url, batch)
    run.figures.append(Figure("batch_searches", searches, "searches per source and batch"))
    system.close()


def sqlite(run: Run) -> None:
    """Changing tickets in a SQLite database, with the embedded Valkey."""
    run.say("SQLite and the embedded Valkey")
    events = run.of(20_000)
    system = world.TicketSystem(f"sqlite:///{run.folder / 'otobo.sqlite'}", events)
    system.fill("0")
    with embed.valkey(run.folder / "valkey") as redis_url:
        config = run.config(system, redis_url, world.sql_source())
        for repeat in range(REPEATS):
            system.change_everybody(f"r{repeat}")
            rate = enrich_rate(config, redis_url, range(1, events + 1), run.log)
            run.took("enrich_sqlite", rate)
            system.expect(f"r{repeat}", events)
    system.close()


def single(run: Run, database: Database, redis_url: str) -> None:
    """One event at a time: how long, and how many statements."""
    run.say("single events and batches")
    tickets = range(1, run.of(400) + 1)
    system = world.TicketSystem(database.create_database(), len(tickets))
    system.fill("0")
    system.change_everybody("r0")
    config = run.config(system, redis_url, world.sql_source())
    raw = Figure("raw_update_and_commit", costs.raw_update(system, 200), "ms")
    taken = costs.latency(config, redis_url, system, tickets[200:], run.log)
    run.samples["single_event_latency"] = taken
    run.figures.append(beside("single_event_latency", taken, "ms", raw))
    one = costs.statements(config, redis_url, tickets[:2])
    run.figures.append(Figure("single_event_statements", one, "statements"))
    fifty = costs.statements(config, redis_url, tickets[2:53])
    run.figures.append(Figure("batch_statements", fifty, "statements per 50 tickets"))
    system.close()


def grown(run: Run, database: Database, redis_url: str) -> None:
    """Memory of a worker, and the cost of an event in a large ticket system."""
    run.say("growth")
    system = world.TicketSystem(database.create_database(), run.of(20_000))
    config = run.config(system, redis_url, world.sql_source())
    tickets = range(1, system.size + 1)
    counts = (run.of(5_000), run.of(50_000))
    first, last = growth.memory(config, redis_url, tickets, counts, run.log)
    run.say(f"  worker holds {first / 2**20:.0f} MiB, then {last / 2**20:.0f} MiB")
    run.figures.append(
        Figure(
            "worker_memory_growth",
            round(last / first - 1, 4),
            "of the memory after the first events",
        )
    )
    system.close()
    taken = {}
    for size in (run.of(2_000), run.of(200_000)):
        system = world.TicketSystem(database.create_database(), size)
        system.fill("0")
        config = run.config(system, redis_url, world.sql_source())
        chosen = range(1, size + 1, size // run.of(2_000))
        taken[size] = growth.event_milliseconds(config, redis_url, system, chosen, run.log)
        run.say(f"  {taken[size]:.3f} ms for each event beside {size:,} tickets")
        system.close()
    (_, small), (_, large) = sorted(taken.items())
    reference = Figure("event_at_2000_tickets", small, "ms")
    run.figures.append(beside("cost_growth", [large], "ms", reference))


def resyncs(run: Run, database: Database, redis_url: str, slapd: SlapdServer) -> None:
    """Old tickets filled for the first time, and looked at again; nobody else is in LDAP."""
    tickets = run.of(resync.TICKETS)
    run.say(f"resyncs of {tickets:,} tickets")
    world.fill(slapd, tickets // resync.PER_CUSTOMER_USER, {"people": "0"})
    sources = {"resync_sql": world.sql_source(), "resync_ldap": world.ldap_source(slapd, "people")}
    scripts: list[float] = []
    for name, source in sources.items():
        system = world.TicketSystem(database.create_database(), tickets)
        resync.share_customer_users(system)
        scripts.append(bare.fill_rate(system, resync.PER_CUSTOMER_USER))
        system.close()
        system = world.TicketSystem(database.create_database(), tickets)
        resync.share_customer_users(system)
        config = run.config(system, redis_url, source)
        run.took(name, resync.resync_rate(config, redis_url, "written", run.log))
        if name == "resync_sql":
            rate = resync.resync_rate(config, redis_url, "unchanged", run.log)
            run.took("resync_unchanged", rate)
        system.close()
    reference = Figure("resync_bare", round(statistics.median(scripts), 1), "1/s")
    run.figures.append(reference)
    run.figures += [beside(name, run.samples[name], "1/s", reference) for name in sources]
    first = Figure("resync_sql", run.samples["resync_sql"][0], "1/s")
    run.figures.append(beside("resync_unchanged", run.samples["resync_unchanged"], "1/s", first))


def beside_resync(run: Run, database: Database, redis_url: str) -> None:
    """Live events while a resync fills old tickets, and while none does."""
    events = max(4 * live.TURN, run.times(400))
    tickets = max(100 * events, run.of(resync.TICKETS))
    run.say(f"live events beside a resync of {tickets:,} tickets")
    system = world.TicketSystem(database.create_database(), tickets + events + 1)
    resync.share_customer_users(system)
    config = run.config(system, redis_url, world.sql_source())
    last = range(tickets + 1, system.size + 1)
    taken = live.latency(config, redis_url, system, last, run.log)
    alone, beside_it = (
        statistics.quantiles(some, n=20)[-1] for some in (taken.alone, taken.beside)
    )
    run.say(f"  {alone:.1f} ms, and {beside_it:.1f} ms beside {taken.resynced:,.0f} tickets/s")
    reference = Figure("resync_live_latency_alone", round(alone, 2), "ms")
    run.figures.append(beside("resync_live_latency", [round(beside_it, 2)], "ms", reference))
    system.close()


def resync_memory(run: Run, database: Database, redis_url: str) -> None:
    """What a resync worker holds after some tickets, and after a million."""
    some, all_ = run.of(10_000), run.of(1_000_000)
    run.say(f"the memory of a resync of {all_:,} tickets")
    system = world.TicketSystem(database.create_database(), 10)
    system.add_customer_users(world.MIXED_PEOPLE)
    system.grow_mixed(all_)
    system.fill("0")
    away = {**world.sql_source(), "url": "postgresql+psycopg://nobody@127.0.0.1:1/crm"}
    goes_on = {"wait_for_source": 0}
    config = run.config(system, redis_url, world.sql_source(), away, resync=goes_on)
    job, (first, last) = resync.memory(config, redis_url, some, run.log)
    run.say(f"  it holds {first / 2**20:.1f} MiB, then {last / 2**20:.1f} MiB; {job.left:,} left")
    run.figures.append(
        Figure("resync_memory_growth", round(last / first - 1, 4), "of the memory after the first")
    )
    system.close()


def admins(run: Run, database: Database, redis_url: str) -> None:
    """What admins wait for, beside bare queries."""
    people, times = run.of(admin.PEOPLE), run.times(admin.TIMES)
    run.say(f"searches among {people:,} customer users, and lists")
    system = world.TicketSystem(database.create_database(), 10)
    system.add_customer_users(people)
    config = run.config(system, redis_url, admin.searched_table())
    for name, both in admin.sql(config, system, times).items():
        run.beside_bare(name, *both)
    system.add_customer("ACME")
    config = run.config(system, redis_url, admin.writable_table())
    taken, bare = admin.imports(config, system, run.of(admin.IMPORTED))
    run.beside_bare("admin_import", taken, bare, "s")
    with SlapdServer() as slapd:
        world.fill(slapd, people, {"people": "a"})
        config = run.config(system, redis_url, admin.searched_tree(slapd))
        run.beside_bare("admin_search_ldap", *admin.ldap(config, slapd, times))
    system.close()


def idle(run: Run, database: Database, redis_url: str, seconds: float) -> None:
    """A worker with nothing to do."""
    run.say("an idle worker")
    system = world.TicketSystem(database.create_database(), 10)
    config = run.config(system, redis_url, world.sql_source())
    used = growth.idle_cpu(config, redis_url, seconds, run.log)
    run.figures.append(Figure("idle_cost", round(used, 1), "CPU seconds per hour"))
    system.close()


PARTS = ("rates", "single", "growth", "idle", "resync", "admin")
"""What can be measured alone, and is measured by a full run."""

LONG = {"resync_memory": frozenset({"resync_memory_growth"})}
"""What is measured alone and not by a full run, which leaves its figures as they are."""


def measure(run: Run, parts: Sequence[str], share: float) -> None:
    """Measure some parts, on servers that all of them share."""
    with Database() as database, redis_server() as redis:
        if "rates" in parts:
            sql(run, database, redis.url)
            with SlapdServer() as slapd:
                ldap(run, database, redis.url, slapd)
            sqlite(run)
            run.rates()
        if "single" in parts:
            single(run, database, redis.url)
        if "growth" in parts:
            grown(run, database, redis.url)
        if "idle" in parts:
            idle(run, database, redis.url, max(10.0, 120 * share))
        if "resync" in parts:
            with SlapdServer() as slapd:
                resyncs(run, database, redis.url, slapd)
            beside_resync(run, database, redis.url)
        if "resync_memory" in parts:
            resync_memory(run, database, redis.url)
        if "admin" in parts:
            admins(run, database, redis.url)


def kept(earlier: Sequence[Figure]) -> list[Figure]:
    """The figures of an earlier run that a full run does not measure anew."""
    long = frozenset[str]().union(*LONG.values())
    return [one for one in earlier if one.name in long]


def main() -> int:
    """Measure; returns 1 where a figure is not as good as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--share", type=float, default=1.0, help="the share of events, e.g. 0.05 for a short run"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are written")
    parser.add_argument(
        "--only",
        choices=(*PARTS, *LONG),
        help="measure this alone, and leave the other figures as they are",
    )
    arguments = parser.parse_args()
    logs.configure("warning")  # what is counted in this process must not fill the terminal
    garbage.collect_seldom()  # as in the processes of a worker
    with tempfile.TemporaryDirectory(prefix="fieldfare-bench-") as folder:
        run = Run(Path(folder), arguments.share)
        try:
            measure(run, [arguments.only] if arguments.only else PARTS, arguments.share)
        except Stuck as error:
            run.say(str(error))
            return 3
    show(run.figures)
    path = arguments.results / "latest.jsonl"
    earlier = read(path) if path.exists() else []
    figures = merged(earlier if arguments.only else kept(earlier), run.figures)
    write(path, figures)
    if arguments.results == RESULTS:
        PAGE.write_text(put_into(PAGE.read_text(), markdown(figures)))
    images = PAGE.parent / "images" if arguments.results == RESULTS else arguments.results
    plots.draw(images, run.figures, run.samples)
    return 0 if all(figure.reached is not False for figure in run.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
