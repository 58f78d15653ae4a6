"""``make conformance``: play the cases of a folder, and tell where Fieldfare differs."""

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path

import structlog

from tests import servers
from tests.conformance.recordings import UnreadableCases
from tests.conformance.report import report
from tests.conformance.run import run
from tests.conformance.world import Servers

CASES = Path(__file__).parent / "cases"


def main() -> int:
    """Play the cases; 1 if any fails, 2 if there is nothing to play."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("cases", type=Path, nargs="?", default=CASES, help="a folder of cases")
    parser.add_argument("--only", default="", help="ids or topics that begin so")
    parser.add_argument("--no-mariadb", action="store_true", help="no second run over MariaDB")
    options = parser.parse_args()
    # A worker's log lines would be many, and some cases are about events that it must give up.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ExitStack() as stack:
        running = Servers(
            postgresql=stack.enter_context(servers.PostgresqlServer()),
            slapd=stack.enter_context(servers.SlapdServer()),
            redis=stack.enter_context(servers.redis_server()),
        )
        mariadb = None
        if not options.no_mariadb:
            mariadb = stack.enter_context(servers.MariadbServer())
        try:
            verdicts = run(options.cases, running, mariadb, only=options.only)
        except UnreadableCases as error:
            sys.stderr.write(f"{error}\n")
            return 2
        return report(verdicts, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
