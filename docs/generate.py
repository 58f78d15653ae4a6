"""Writes the reference pages from the code, so that they cannot say anything else.

``make docs`` runs it; a test compares its answer with the files in the repository.
"""

import inspect
import json
import re
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from directory.config import (
    CompanyConfig,
    LdapSourceConfig,
    MapEntry,
    SourceConfig,
    SqlSourceConfig,
    TlsConfig,
)
from mapping import transforms
from mapping.model import Decision
from worker import cli, dead_letters, events, metrics, metrics_redis, settings
from worker.arguments import arguments_of
from worker.calls import CALLS, MAX_WHO, Call
from worker.commands.answering import Exit
from worker.decision_words import REASONS
from worker.inbox_scripts import MAX_FIELD_BYTES, MAX_FIELDS
from worker.outcomes import DISPOSITIONS, Disposition, Kind

REFERENCE = Path(__file__).parent / "reference"

GENERATED = "<!-- Written by `make docs` from the code; change it there. -->"

_NOTE = re.compile(r" ?\((?:deviation )?D\d+\)| ?\(design section [\d.]+\)")
"""Numbers of rules that the code refers to, of no use to a reader of the reference."""

TAKES: Mapping[str, str] = {
    "map": "table, or list of rows",
    "host": "text, or list of text",
    "stale_if_unavailable": "duration",
}
"""What is accepted in more forms than its type says."""

EXIT_CODES: Mapping[Exit, str] = {
    Exit.OK: "done",
    Exit.NO: "the answer is no: unknown login, no such ticket, a silent worker, an error found, "
    "writing stopped",
    Exit.USAGE: "wrong usage or settings, a source or a ticket database that can never work so",
    Exit.UNAVAILABLE: "something did not answer: a source, the ticket database, Redis",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}

KINDS: Mapping[Kind, str] = {
    Kind.WRITTEN: "at least one field was written or emptied",
    Kind.UNCHANGED: "nothing had to be written, and nothing was kept back for the frontend",
    Kind.KEPT: "nothing was written; at least one field keeps the frontend's value",
    Kind.NO_SUCH_TICKET: "the ticket does not exist",
    Kind.IGNORED: "the data of a customer user or of a customer have changed; no field follows "
    "them (`mapping.refresh`)",
    Kind.SCHEDULED: "the data of a customer user or of a customer have changed; their tickets are "
    "refreshed when no event waits",
    Kind.WAITING: "a source that could know the customer user does not answer",
    Kind.STALE: "the source does not answer; what it said before was written, and is looked at "
    "again",
    Kind.CONFLICT: "somebody kept changing the ticket while it was handled",
    Kind.FAILED: "an error of the event itself, or values that the database refuses",
    Kind.MALFORMED: "not an event of the contract",
}

FATES: Mapping[Disposition, str] = {
    Disposition.SETTLE: "leaves the inbox",
    Disposition.WAIT: "moves to the waiting room of the source, and comes back when it answers",
    Disposition.RETRY: "goes behind all others; no attempt is counted",
    Disposition.FAIL: "goes behind all others; after `inbox.max_attempts` it is parked",
    Disposition.PARK: "moves to the dead letters at once",
}

DECISIONS: Mapping[Decision, str] = {
    Decision.WRITE: "the directory's value is written",
    Decision.CLEAR: "the field is emptied",
    Decision.UNCHANGED: "the field holds the right value already",
    Decision.KEEP: "the field keeps what it holds",
    Decision.REFUSE: "nothing can be written into the field; it keeps what it holds",
}


ERRORS: Mapping[str, str] = {
    "wrong_arguments": "an argument is missing, unknown, or of a wrong kind; `field` names it",
    "wrong_criteria": "a search cannot be made so",
    "unavailable": "a source, a database or Redis does not answer; ask again later",
    "misconfigured": "a source or the ticket database can never work as the settings are",
    "failed": "an error of Fieldfare's own, in the log as `admin.failed`",
    "cannot_be_deleted": "customer users cannot be deleted, as in OTOBO; deactivate them",
    "changed_meanwhile": "somebody changed it since it was looked at; look again",
    "duplicate_assignment": "the customer is assigned to the customer user already",
    "duplicate_customer": "a customer has this id already",
    "duplicate_email": "a customer user has this email address already",
    "duplicate_login": "a customer user of some source has this login already",
    "invalid_customer": "the customer exists and is not valid",
    "no_match": "the value does not fit a pattern of the dynamic field, or only Perl can tell",
    "no_password_column": "the source's Map has no UserPassword, so it keeps no passwords",
    "not_a_choice": "the value is none of those that can be chosen",
    "not_a_date": "the value is no date of the form that the field takes",
    "not_a_number": "the value is no number",
    "not_assigned": "the customer is not assigned to the customer user",
    "not_valid_utf8": "the text cannot be written in UTF-8",
    "read_only_field": "the Map says that this variable is not written",
    "read_only_source": "the source cannot be written to; the message says what to do instead",
    "refused_by_database": "the database does not take the row, or keeps its login otherwise",
    "required": "a value is needed and there is none",
    "too_long": "the value is longer than its column",
    "unknown_customer": "there is no such customer",
    "unknown_customer_user": "no source knows the login",
    "unknown_field": "the source's Map has no such variable",
    "unknown_source": "there is no such source",
    "wrong_email": "the value is no email address",
}
"""What each error of a call means."""

ARGUMENTS: Mapping[str, str] = {
    "customer_id": "the id of the customer",
    "expected": "the `version` that you saw; if it is another one now, nothing is written",
    "invalid": "invalid ones, too",
    "limit": "most of them",
    "login": "the login of the customer user",
    "offset": "how many come before the page",
    "replace": "empty what is not given, as OTOBO's screen does; else it stays",
    "source": "only this one, e.g. `CustomerUser1`",
    "temporarily": "set it to `invalid-temporarily` instead of `invalid`",
    "tickets": "take the tickets along, too, where the login becomes another",
    "values": "what is to be written, by variable of the Map",
}
"""Arguments that mean the same in several calls, where a handler does not say more."""


def pages() -> Mapping[str, str]:
    """The text of every generated file, by its name in ``docs/reference``."""
    return {
        "calls.md": _calls(),
        "cli.md": _cli(),
        "events.md": _events(),
        "events.schema.json": _json(events.json_schema()),
        "metrics.md": _metrics(),
        "outcomes.md": _outcomes(),
        "settings.md": _settings(),
        "settings.schema.json": _json(settings.Settings.model_json_schema(by_alias=False)),
        "transforms.md": _transforms(),
    }


def main() -> None:
    """Write the files."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", GENERATED, *(part.strip() for part in parts))) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


def _plain(text: str) -> str:
    return _NOTE.sub("", " ".join(text.split())).strip()


# Settings


def _settings() -> str:
    nested: Mapping[str, Sequence[tuple[Any, str, str | None]]] = {
        "mapping": [(settings.RuleSettings, "mapping.rules[]", None)],
        "tickets": [
            (settings.OtoboCacheSettings, "tickets.otobo_cache", "tickets.otobo_cache"),
        ],
        "guard": [
            (settings.ErasureSettings, "guard.erasures", "guard.erasures"),
            (settings.ChangeSettings, "guard.changes", "guard.changes"),
        ],
    }
    parts = [_SETTINGS_INTRO]
    for name, field in settings.Settings.model_fields.items():
        if name in {"sources", "companies"}:
            continue
        model = _model(field)
        parts += [f"## [{name}]", _summary(model), _keys(model, name)]
        for inner, title, path in nested.get(name, ()):
            heading = f"[[{title[:-2]}]]" if title.endswith("[]") else f"[{title}]"
            parts += [f"## {heading}", _summary(inner), _keys(inner, path)]
    sources = "sources.CustomerUser1"
    shared = set(SourceConfig.model_fields)
    parts += [
        "## [sources.CustomerUser]",
        _SOURCES_INTRO,
        _keys(SourceConfig, sources, skip={"slot"}),
        '### kind = "sql"',
        _summary(SqlSourceConfig),
        _keys(SqlSourceConfig, sources, skip=shared),
        '### kind = "ldap"',
        _summary(LdapSourceConfig),
        _keys(LdapSourceConfig, sources, skip=shared - {"timeout"}),
        f"### [{sources}.tls]",
        _summary(TlsConfig),
        _keys(TlsConfig, f"{sources}.tls"),
        f"### [{sources}.map]",
        _MAP_INTRO,
        _keys(MapEntry, None),
        "## [companies.CustomerCompany]",
        _COMPANIES_INTRO,
        _keys(CompanyConfig, "companies.CustomerCompany", skip={"slot"}),
    ]
    return _page("Settings", *parts)


_SETTINGS_INTRO = """\
Every key, its default, and where else it can be set. Later ones win:

1. defaults;
2. the TOML file: `--config FILE`, else `$FIELDFARE_CONFIG`, else `./fieldfare.toml`, else
   `/etc/fieldfare/fieldfare.toml`;
3. `.env` in the working directory;
4. environment variables;
5. secret files: one file for each key, named like the key with `__` between the parts
   (`tickets__password`), in `$FIELDFARE_SECRETS_DIR`, else in `/run/secrets`.

Keys that do not exist are errors. Lists and tables in an environment variable are written as JSON.
A key marked *secret* never shows up in logs, errors or `fieldfare config show`; better keep it out
of the TOML file. Every key but those of a list's items can stand in a secret file.

Under OTOBO's own names you can give: `[CustomerUser]` to `[CustomerUser10]`, `[CustomerCompany]`
to `[CustomerCompany10]`, `[CustomerPreferences]`, `["DynamicFieldFromCustomerUser::Mapping"]` and
`["Ticket::Frontend::AgentTicketPhone###DynamicField"]` for any screen. Inside such a block the
options have OTOBO's names too, and nested `Params` may stay as they are. The machine-readable
form of this page is [settings.schema.json](settings.schema.json); it knows Fieldfare's own names.
"""


_SOURCES_INTRO = """\
The customer user sources. Their names are the places in the order: `CustomerUser` is asked first,
then `CustomerUser1` to `CustomerUser10`. The environment variables are shown for `CustomerUser1`.
These keys are common to all kinds. A kind that a package adds has keys of its own besides;
`fieldfare config schema --source KIND` prints them, and
[Write a kind of source](../how-to/write-a-source.md) says how to add one.
"""

_MAP_INTRO = """\
Which variable comes from which column or attribute. The short form is
`UserFirstname = "first_name"`. A table in its place says more, and so does OTOBO's row of three to
ten columns, whose order is variable, label, storage, and then as in this table:
"""

_COMPANIES_INTRO = """\
Where customers (companies) are kept: `CustomerCompany`, then `CustomerCompany1` to
`CustomerCompany10`. The environment variables are shown for `CustomerCompany`.
"""


def _model(field: FieldInfo) -> Any:
    return field.annotation


def _summary(model: Any) -> str:
    return _plain(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("``", "`"))


def _keys(model: Any, path: str | None, *, skip: Collection[str] = ()) -> str:
    with_otobo = any(_otobo_names(field) for field in model.model_fields.values())
    head = ["Key", "Values", "Default", "What it does"]
    head += ["Environment variable"] * (path is not None) + ["OTOBO's name"] * with_otobo
    rows = []
    for name, field in model.model_fields.items():
        if name in skip or (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            continue
        key = field.alias or name.rstrip("_")
        told = [_plain(field.description or "")]
        if _is_secret(field):
            told.append(f"*Secret*; file `{f'{path}.{key}'.replace('.', '__').lower()}`.")
        row = [
            f"`{key}`",
            TAKES.get(key) or _values(field.annotation),
            _default(field),
            " ".join(filter(None, told)),
        ]
        if path is not None:
            row.append(f"`FIELDFARE_{f'{path}.{key}'.replace('.', '__').upper()}`")
        if with_otobo:
            row.append(", ".join(f"`{other}`" for other in _otobo_names(field)))
        rows.append(row)
    return _table(head, rows)


def _otobo_names(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else []


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None:
        return "unset"
    if isinstance(default, tuple) and default and isinstance(default[0], MapEntry):
        return ", ".join(f'`{entry.variable} = "{entry.storage}"`' for entry in default)
    return f"`{_toml(default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true, false",
    Path: "path",
    SecretStr: "text",
    MapEntry: "row",
    settings.RuleSettings: "rule",
    Any: "anything",
}


def _values(annotation: Any) -> str:
    """What a key takes, in the words of people who write TOML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if getattr(annotation, "__metadata__", None) is not None:  # Annotated
        return _values(arguments[0])
    if origin is types.UnionType or str(origin) == "typing.Union":
        return " or ".join(
            dict.fromkeys(_values(one) for one in arguments if one is not type(None))
        )
    if str(origin) == "typing.Literal":
        return ", ".join(f"`{_toml(one)}`" for one in arguments)
    if origin is tuple:
        return f"list of {_values(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {_values(arguments[1])}"
    msg = f"no word for {annotation!r}"
    raise ValueError(msg)


# Command line


_CLI_INTRO = """\
`fieldfare --config FILE COMMAND` names the settings file; without it `$FIELDFARE_CONFIG`,
`./fieldfare.toml` and `/etc/fieldfare/fieldfare.toml` are tried. `--help` after any command shows
what stands here; `fieldfare --version` says which Fieldfare this is, and which Python runs it.
"""


def _cli() -> str:
    codes = _table(
        ["Code", "Meaning"], [[str(int(code)), meaning] for code, meaning in EXIT_CODES.items()]
    )
    root = typer.main.get_command(cli.app)
    parts = [
        root.help or "",
        _CLI_INTRO,
        "## Exit codes",
        codes,
    ]
    parts += [part for path, command in _commands(root) for part in _command(path, command)]
    return _page("Command line", *parts)


def _commands(group: Any, path: str = "fieldfare") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(path: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    words = [_metavar(one) if one.required else f"[{_metavar(one)}]" for one in arguments]
    yield f"## {path}"
    yield "`" + " ".join([path, *(["[OPTIONS]"] if options else []), *words]) + "`"
    yield command.help or ""
    rows = [[f"`{_metavar(one)}`", one.help or ""] for one in arguments]
    for one in options:
        names = ", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts])
        shown = "" if one.default in (None, False) or one.is_flag else f" Default: `{one.default}`."
        choices = get_args(one.type_descriptor.annotation) if not one.multiple else ()
        values = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        rows.append([names, f"{one.help or ''}{values}{shown}"])
    if rows:
        yield _table(["Argument or option", "Meaning"], rows)


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


# Admin calls


def _calls() -> str:
    rows = [
        [f"[`{call.name}`](#{_anchor(call.name)})", _sections(call)[""]] for call in CALLS.values()
    ]
    errors = [[f"`{code}`", meaning] for code, meaning in ERRORS.items()]
    return _page(
        "Admin calls",
        "What an admin worker can be asked for. Each call is a Celery task of this name in the "
        "queue `admin`; arguments are given by name. "
        "[Ask from another program](../how-to/admin-calls.md) shows how.",
        _table(["Call", "What it does"], rows),
        "Every call takes one argument more, `requested_by`: a text of at most "
        f"{MAX_WHO} characters that says who asks. It is believed, and kept in the audit.",
        "## Errors",
        "A call never fails with a traceback. Instead of what is told there is `error`, one of "
        "these codes, and `message`, for people; where they are known also `field` and `source`. "
        "`may_be_done` is true where nobody knows whether it was done; without it, it was not. "
        "A message may name logins, customer ids and variables, and repeats no other value.",
        _table(["Error", "Meaning"], errors),
        "## Warnings",
        "Every call leaves a line in the audit. After a write the copies that workers keep are "
        "dropped, and an [event](events.md) is published. Where Redis does not let one of these be "
        "done, the write is told as done, and `warnings` is a list of texts beside it that say "
        "what was not done.",
        *(part for call in CALLS.values() for part in _call(call)),
    )


def _call(call: Call) -> Iterator[str]:
    told = _sections(call)
    yield f"## {call.name}"
    yield told[""]
    meanings = dict(re.findall(r"^(\w+): (.*)$", told.get("Args", ""), re.MULTILINE))
    rows = [
        [
            f"`{name}`",
            one.words,
            "**needed**" if one.needed else f"`{json.dumps(one.default)}`",
            meanings.get(name, ARGUMENTS.get(name, "")).rstrip("."),
        ]
        for name, one in arguments_of(call.handler).items()
    ]
    if rows:
        yield _table(["Argument", "Is", "Default", "Meaning"], rows)
    if returned := told.get("Returns"):
        yield f"Tells: {returned.removeprefix('What is told: ')}"
    refusals = [
        meaning
        for error, meaning in re.findall(r"^(\w+): (.*)$", told.get("Raises", ""), re.MULTILINE)
        if error in {"Refused", "WrongCriteria"}
    ]
    if refusals:
        yield f"Refused: {' '.join(refusals)}"


_SECTION = re.compile(r"^(Args|Returns|Raises):$", re.MULTILINE)
_SEE_CODE = re.compile(r"[;,]? see ``(directory|worker)[\w.]+``")


def _sections(call: Call) -> Mapping[str, str]:
    """The parts of the handler's docstring; the items of a part are a line each."""
    text = _SEE_CODE.sub("", inspect.getdoc(call.handler) or "").replace("``", "`")
    head, *parts = _SECTION.split(re.sub(r"\bNone\b", "null", text))
    named = {"": head, **dict(zip(parts[::2], parts[1::2], strict=True))}
    return {
        name: "\n".join(map(_plain, re.split(r"\n+    (?=\w+: )", part)))
        if name in {"Args", "Raises"}
        else _plain(part)
        for name, part in named.items()
    }


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# Events


def _events() -> str:
    names = {ours: theirs for theirs, ours in events.OTOBO_NAMES.items()}
    kinds = [
        [f"`{kind}`", f"`{names[kind]}`" if kind in names else "", _summary(model)]
        for kind, model in events.TYPES.items()
    ]
    return _page(
        "Events",
        "An event asks for a ticket to be looked at, or says that the data of a customer user or "
        "of a customer have changed. It carries no values: what the ticket and the directory say "
        "when it is handled decides. So an event may come twice, late or out of order.",
        "A producer appends it to the Redis stream `fieldfare:events`; every field is text:",
        "```sh\nredis-cli XADD fieldfare:events '*' type ticket.created ticket_id 4711\n```",
        "[How to emit from your language](../how-to/producers.md) has complete examples.",
        "## Types",
        _table(["`type`", "OTOBO's name, also accepted", "Meaning"], kinds),
        "Fieldfare itself emits the last two, after each admin call that wrote. Whoever changes "
        "customer users or customers elsewhere may emit them, too. Tickets follow where "
        "`mapping.refresh` says so.",
        "## Fields of events about tickets",
        _event_fields(events.TicketCreated),
        "## Fields of customer_user.changed",
        _event_fields(events.CustomerUserChanged),
        "## Fields of customer_company.changed",
        _event_fields(events.CustomerCompanyChanged),
        "## Form",
        "`fields` is a JSON list of names, or names with commas or blanks between them. Fields "
        "that are not in its table are ignored. An event has at most "
        f"{MAX_FIELDS} fields of at most {MAX_FIELD_BYTES} bytes each, in UTF-8; what cannot be "
        "understood is parked among the dead letters as `malformed`.",
        "The JSON Schema of the contract is [events.schema.json](events.schema.json).",
        "## What the optional fields change",
        "`screen` and `fields` tell who owns a value, see "
        "[precedence](../explanation/precedence.md). `time` tells which request the event "
        "belongs to; without it, the time of its arrival is taken. `event_id` is repeated in the "
        "log, and so is `user_id`. `traceparent` makes the event part of its publisher's "
        "[trace](../how-to/monitoring.md#traces).",
    )


def _event_fields(model: type[events.Event]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        needed = "yes" if field.is_required() or name == "type" else "no"
        rows.append([f"`{name}`", needed, field.description or "What happened; see above."])
    # What is needed stands first.
    rows.sort(key=lambda row: (row[0] != "`type`", row[1] != "yes"))
    return _table(["Field", "Needed", "Meaning"], rows)


# Outcomes


def _outcomes() -> str:
    outcomes = [[f"`{kind.value}`", KINDS[kind], FATES[DISPOSITIONS[kind]]] for kind in Kind]
    decisions = [[f"`{decision.value}`", DECISIONS[decision]] for decision in Decision]
    reasons = [[f"`{reason.value}`", text] for reason, text in REASONS.items()]
    return _page(
        "Outcomes, decisions and reasons",
        "## Outcomes of an event",
        "Each handled event ends in one log line `ticket.enriched` with one of these words in "
        "`outcome`. Not so `ignored`, which has the line `event.ignored`, and `malformed`, which "
        "has the line `event.malformed`; `failed` comes without a line where the error leaves none "
        "to write.",
        _table(["Outcome", "Meaning", "What becomes of the event"], outcomes),
        "## Decisions on a field",
        "`fieldfare explain` shows one for each mapped field.",
        _table(["Decision", "Meaning"], decisions),
        "## Reasons",
        "`fieldfare explain` says why; `--json` prints the word in the left column.",
        _table(["Reason", "Meaning"], reasons),
        "## Reasons of dead letters",
        _table(
            ["Reason", "Meaning"],
            [
                [f"`{name}`", meaning.replace("inbox.max_attempts", "`inbox.max_attempts`")]
                for name, meaning in dead_letters.REASONS.items()
            ],
        ),
    )


# Metrics


def _metrics() -> str:
    return _page(
        "Metrics",
        "With `metrics.port` set, each ticket worker serves these at `http://host:port/metrics`. "
        "[How to watch Fieldfare](../how-to/monitoring.md) shows how to collect and use them. No "
        "label holds anything of a customer user, and every label has few values.",
        "## Counted",
        "By all processes of the worker together, from its start on. Add the workers up: "
        "`sum(rate(fieldfare_events_total[5m]))`. A histogram has three series: its name with "
        "`_bucket`, `_sum` and `_count`.",
        _metric_table(metrics.COUNTED),
        "## Read from Redis",
        "When they are asked for. Every worker tells the same, so take the largest: "
        "`max(fieldfare_inbox_events)`.",
        _metric_table(metrics_redis.READ),
    )


def _metric_table(listed: Sequence[metrics.Metric]) -> str:
    rows = []
    for one in listed:
        labels = "; ".join(f"`{name}`: {values}" for name, values in one.labels)
        buckets = ", ".join(f"{bound:g}" for bound in one.buckets)
        meaning = f"{one.meaning} Buckets: {buckets}." if buckets else one.meaning
        rows.append([f"`{one.name}`", one.kind, meaning, labels])
    return _table(["Metric", "Kind", "Meaning", "Labels"], rows)


# Transforms


def _transforms() -> str:
    rows = [
        [f"`{name}`", f"`{example}`", _summary_of(getattr(transforms, name))]
        for name, example in transforms.EXAMPLES.items()
    ]
    return _page(
        "Transforms",
        "A rule names them in `transform`, and they apply in that order:",
        '```toml\n[[mapping.rules]]\nfrom = "UserPhone"\nto = "CustomerPhone"\n'
        'transform = ["strip", { replace = ["+49", "0"] }, { truncate = 20 }]\n```',
        "A value is one text or several (an LDAP attribute, a Multiselect of the customer user). "
        "A transform of a single text applies to each of several. An empty text stays empty, "
        "unless a `lookup` names it.",
        _table(["Transform", "As written", "Gives"], rows),
        "`date` reads with the codes of Python's `strptime`; without `to` it writes what fields of "
        "the types Date and DateTime take. A text that is no such date leaves its field as it is.",
    )


def _summary_of(function: Any) -> str:
    return _plain(inspect.getdoc(function) or "").split(" A time ")[0]


if __name__ == "__main__":
    main()
