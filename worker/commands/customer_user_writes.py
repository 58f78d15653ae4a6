"""``fieldfare customer-user``: the commands that add and change customer users.

``worker.commands.customer_users`` puts them beside those that find and show.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from worker.commands import changing, known, prompting
from worker.commands.answering import Exit, Json, answering, complain
from worker.commands.calling import Local, call
from worker.commands.changing import DryRun, Replace
from worker.commands.fields import CUSTOMER_USER, Values, with_fields
from worker.commands.loading import load

if TYPE_CHECKING:
    from directory.config import SqlSourceConfig

LOGIN, VALID = "UserLogin", "ValidID"

EPILOG = (
    "Exit codes: 0 done; 1 it was refused, and nothing was written; 3 something did not answer."
)

MOVED: Mapping[str, str] = {
    "preferences": "preference",
    "assignments": "assignment",
    "dynamic_fields": "dynamic field value",
    "tickets": "ticket",
    "others": "other row",
}
"""What moves along with a login, for people; one of each."""

Login: TypeAlias = Annotated[str, typer.Argument(help="The login.")]
PasswordStdin: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
GeneratePassword: TypeAlias = Annotated[
    bool, typer.Option("--generate-password", help="Make a password, and show it once.")
]
Tickets: TypeAlias = Annotated[
    bool, typer.Option("--tickets", help="Also have their tickets name the new login.")
]


@with_fields(CUSTOMER_USER)
def add(  # noqa: PLR0913 - one for each option
    *,
    login: Annotated[
        str | None,
        typer.Argument(help="The login; none where the source makes one (auto_login_creation)."),
    ] = None,
    values: Values,
    source: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Where to; else the first that can be written to."),
    ] = None,
    password_stdin: PasswordStdin = False,
    generate_password: GeneratePassword = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Without one, e.g. where LDAP checks it.")
    ] = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Add a customer user.

    On a terminal you are asked for required fields that were not given, and for a password;
    elsewhere what is missing is named, and a password is made unless you say otherwise. One that
    was made is shown this once.

    Example: fieldfare customer-user add jane --firstname Jane --lastname Doe --email
    jane@example.com --customer-id acme
    """
    if password_stdin + generate_password + no_password > 1:
        raise typer.BadParameter(
            "give one of --password-stdin, --generate-password and --no-password",
            param_hint="--password-stdin",
        )
    if login is not None:
        values = {LOGIN: login, **values}
    source = known.source(source)
    with answering():
        config = _place(source)
    has_password = True
    if config is not None:
        mapped = {entry.variable for entry in config.map}
        has_password = prompting.PASSWORD in mapped
        if VALID in mapped:
            values.setdefault(VALID, "valid")
        left_out = {LOGIN} if config.auto_login_creation else set()
        values |= prompting.required(config.map, values, config.selections, left_out=left_out)
    password = prompting.password_from_stdin() if password_stdin else ""
    if has_password and not (password_stdin or generate_password or no_password):
        password = (
            prompting.new_password(may_be_empty=True) if prompting.somebody_is_there() else ""
        )
    told = call(
        "customer_user.add",
        {
            "values": values,
            "source": source,
            "password": password or None,
            "generate_password": not no_password,
        },
        local=local,
        as_json=as_json,
    )
    changing.tell(told, f"{told['login']} was added to {told['source']}.", as_json=as_json)


@with_fields(CUSTOMER_USER)
def update(  # noqa: PLR0913 - one for each option
    *,
    login: Login,
    values: Values,
    replace: Replace = False,
    dry_run: DryRun = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Change a customer user's values: those that are given, and no others.

    What changes is shown. What somebody else changed in the meantime is not overwritten: you are
    told, and look again. An empty text empties a field.

    Example: fieldfare customer-user update jane --phone '+49 30 1234' --fax ''
    """
    if LOGIN in values:
        raise typer.BadParameter(
            "another login is given by fieldfare customer-user rename", param_hint="--set"
        )
    if not values and not replace:
        raise typer.BadParameter(
            "nothing to change is given; right: --email jane@example.com", param_hint="--set"
        )
    before = known.customer_user(login, local=local, as_json=as_json)
    spelt, stored = before["customer_user"], before["attributes"]
    if replace:
        with answering():
            config = _place(before["source"])
        if config is not None:
            given = {LOGIN: spelt, **values}
            values = changing.whole(given, stored, config.map, config.selections)
    changes = changing.differences(stored, values)
    if dry_run:
        changing.tell({"login": spelt, "changes": changes}, "Nothing was written.", as_json=as_json)
        return
    told = call(
        "customer_user.update",
        {
            "login": spelt,
            "values": values,
            "replace": replace,
            "expected": before.get("version"),
        },
        local=local,
        as_json=as_json,
    )
    done = "was changed" if told["fields"] else "is as it was"
    changing.tell({**told, "changes": changes}, f"{told['login']} {done}.", as_json=as_json)


def rename(
    login: Login,
    new_login: Annotated[str, typer.Argument(help="The login that they get.")],
    tickets: Tickets = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Give a customer user another login; preferences, assignments and dynamic fields go with it.

    Their tickets go on naming the old login unless --tickets is given. Each gets a line in its
    history then. A rename with --tickets that was interrupted is finished by the same command.

    Example: fieldfare customer-user rename jane jane.doe --tickets
    """
    told = call(
        "customer_user.rename",
        {"login": login, "new_login": new_login, "tickets": tickets},
        local=local,
        as_json=as_json,
    )
    moved = ", ".join(
        f"{number} {MOVED.get(what, what)}{'' if number == 1 else 's'}"
        for what, number in told["moved"].items()
        if number
    )
    with_it = f"; with it: {moved}" if moved else ""
    changing.tell(told, f"{login} is {told['login']} now{with_it}.", as_json=as_json)


def activate(login: Login, local: Local = False, as_json: Json = False) -> None:
    """Make a customer user valid.

    Example: fieldfare customer-user activate jane
    """
    told = call("customer_user.activate", {"login": login}, local=local, as_json=as_json)
    changing.tell(told, f"{told['login']} is valid.", as_json=as_json)


def deactivate(
    login: Login,
    temporarily: Annotated[
        bool, typer.Option("--temporarily", help="invalid-temporarily instead of invalid.")
    ] = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Make a customer user invalid. Nobody can be deleted: tickets name them.

    Example: fieldfare customer-user deactivate jane --temporarily
    """
    told = call(
        "customer_user.deactivate",
        {"login": login, "temporarily": temporarily},
        local=local,
        as_json=as_json,
    )
    word = "invalid-temporarily" if temporarily else "invalid"
    changing.tell(told, f"{told['login']} is {word}.", as_json=as_json)


def set_password(
    login: Login,
    password_stdin: PasswordStdin = False,
    generate_password: GeneratePassword = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Set a customer user's password: typed twice, read from standard input, or made.

    One that was made is shown this once. No password stands on a command line: everybody on the
    machine could read it there.

    Example: fieldfare customer-user set-password jane --generate-password
    """
    if password_stdin and generate_password:
        raise typer.BadParameter(
            "give one of --password-stdin and --generate-password", param_hint="--password-stdin"
        )
    password = ""
    if password_stdin:
        password = prompting.password_from_stdin()
    elif not generate_password:
        if not prompting.somebody_is_there():
            complain("nobody can be asked here; give --password-stdin or --generate-password")
            raise typer.Exit(Exit.USAGE)
        password = prompting.new_password(may_be_empty=False)
    told = call(
        "customer_user.set_password",
        {"login": login, "password": password or None},
        local=local,
        as_json=as_json,
    )
    changing.tell(told, f"The password of {told['login']} was set.", as_json=as_json)


def generate_password(
    length: Annotated[int, typer.Option(min=8, max=72, help="Characters.")] = 16,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Make a password of digits and letters, for nobody yet, and print it.

    Example: fieldfare customer-user generate-password --length 24
    """
    told = call("customer_user.generate_password", {"length": length}, local=local, as_json=as_json)
    changing.tell(told if as_json else {}, told["password"], as_json=as_json)


def delete(login: Login, local: Local = False, as_json: Json = False) -> None:
    """Customer users cannot be deleted, since tickets name them; this says what to do instead.

    Example: fieldfare customer-user deactivate jane
    """
    call("customer_user.delete", {"login": login}, local=local, as_json=as_json)


def _place(source: str | None) -> "SqlSourceConfig | None":
    """The source that is written to; None where the call itself says what is wrong with it."""
    from directory.config import SqlSourceConfig  # noqa: PLC0415
    from worker.handlers import sources  # noqa: PLC0415

    for config in load().source_configs():
        asked_for = source in {None, config.source_name}
        if asked_for and isinstance(config, SqlSourceConfig) and sources.writable(config):
            return config
    return None
