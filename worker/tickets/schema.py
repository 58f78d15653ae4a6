"""Which tables of OTOBO, Znuny and OTRS are used, and what are their columns?

Types and lengths are those of OTOBO 11's own schema (spec 1.5, 3.1 and 5.1), with the foreign
keys that bear on locks. ``create_all`` serves the SQLite demo and the tests; a real ticket
system's tables are never created or altered.

Times are handled as texts ``YYYY-MM-DD HH:MM:SS`` in the ticket system's own time zone,
just as the tables hold them.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.dialects.postgresql import TIMESTAMP


def time_text(value: object) -> str | None:
    """A moment as a driver gives it, as ``YYYY-MM-DD HH:MM:SS``; None if it is no date.

    SQLite gives a text. So do the drivers of MySQL and MariaDB for a date that cannot be: the zero
    date counts as none, as it does in OTOBO.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else None


class Stamp(TypeDecorator[str]):
    """A moment to the second as text; MySQL's zero date counts as none, as it does in OTOBO."""

    impl = DateTime().with_variant(TIMESTAMP(precision=0), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """A text becomes what the driver binds."""
        return None if value is None else datetime.fromisoformat(value)

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:  # noqa: ARG002
        """What the driver read becomes a text."""
        return time_text(value)


class Blob(TypeDecorator[str]):
    """A text that MySQL keeps in a LONGBLOB, and the other databases in a TEXT."""

    impl = Text().with_variant(LONGBLOB(), "mysql").with_variant(LONGBLOB(), "mariadb")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """UTF-8, as OTOBO writes it."""
        if value is not None and dialect.name in {"mysql", "mariadb"}:
            return value.encode()
        return value

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Bytes that are no UTF-8 are shown, not raised: a definition must stay readable."""
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return None if value is None else str(value)


# SQLite counts ids by itself only in a column of type INTEGER.
BIG_ID = BigInteger().with_variant(Integer, "sqlite")
SMALL_ID = SmallInteger().with_variant(Integer, "sqlite")
LONG_TEXT = String(3800).with_variant(Text(), "mysql", "mariadb")

metadata = MetaData()


def _table(name: str, *items: Column[object] | Index) -> Table:
    """A table that MariaDB keeps in InnoDB with all of Unicode."""
    return Table(name, metadata, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4")


def _stamps() -> tuple[Column[object], ...]:
    return (
        Column("create_time", Stamp, nullable=False),
        Column("create_by", Integer, nullable=False),
        Column("change_time", Stamp, nullable=False),
        Column("change_by", Integer, nullable=False),
    )


valid = _table(
    "valid",
    Column("id", SMALL_ID, primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
    *_stamps(),
)

users = _table(
    "users",
    Column("id", Integer, primary_key=True),
    Column("login", String(191), nullable=False, unique=True),
    Column("pw", String(128), nullable=False),
    Column("title", String(50)),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

user_preferences = _table(
    "user_preferences",
    Column("user_id", Integer, nullable=False, index=True),
    Column("preferences_key", String(150), nullable=False),
    Column("preferences_value", Blob),
)

ticket = _table(
    "ticket",
    Column("id", BIG_ID, primary_key=True),
    Column("tn", String(50), nullable=False, unique=True),
    Column("title", String(255)),
    Column("queue_id", Integer, nullable=False),
    Column("ticket_lock_id", SmallInteger, nullable=False),
    Column("type_id", SmallInteger),
    Column("service_id", Integer),
    Column("sla_id", Integer),
    Column("user_id", Integer, nullable=False),
    Column("responsible_user_id", Integer, nullable=False),
    Column("ticket_priority_id", SmallInteger, nullable=False),
    Column("ticket_state_id", SmallInteger, nullable=False),
    Column("customer_id", String(150), index=True),
    Column("customer_user_id", String(191), index=True),
    Column("timeout", Integer, nullable=False),
    Column("until_time", Integer, nullable=False),
    Column("escalation_time", Integer, nullable=False),
    Column("escalation_update_time", Integer, nullable=False),
    Column("escalation_response_time", Integer, nullable=False),
    Column("escalation_solution_time", Integer, nullable=False),
    Column("archive_flag", SmallInteger, nullable=False, server_default="0"),
    *_stamps(),
)

queue = _table(
    "queue",
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
)

ticket_state_type = _table(
    "ticket_state_type",
    Column("id", SMALL_ID, primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
)

ticket_state = _table(
    "ticket_state",
    Column("id", SMALL_ID, primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
    Column("type_id", SmallInteger, nullable=False),
)

article = _table(
    "article",
    Column("id", BIG_ID, primary_key=True),
    Column("ticket_id", BigInteger, ForeignKey("ticket.id"), nullable=False, index=True),
    Column("article_sender_type_id", SmallInteger, nullable=False),
    Column("communication_channel_id", BigInteger, nullable=False),
    Column("is_visible_for_customer", SmallInteger, nullable=False),
    Column("search_index_needs_rebuild", SmallInteger, nullable=False, server_default="1"),
    Column("insert_fingerprint", String(64)),
    *_stamps(),
)

ticket_history_type = _table(
    "ticket_history_type",
    Column("id", SMALL_ID, primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
    Column("comments", String(250)),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

ticket_history = _table(
    "ticket_history",
    Column("id", BIG_ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column(
        "history_type_id",
        SMALL_ID,
        ForeignKey("ticket_history_type.id"),
        nullable=False,
        index=True,
    ),
    Column("ticket_id", BIG_ID, ForeignKey("ticket.id"), nullable=False, index=True),
    Column("article_id", BIG_ID, ForeignKey("article.id"), index=True),
    Column("type_id", SmallInteger, nullable=False),
    Column("queue_id", Integer, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("priority_id", SmallInteger, nullable=False),
    Column("state_id", SmallInteger, nullable=False),
    *_stamps(),
    Index("ticket_history_create_time", "create_time"),
)

dynamic_field = _table(
    "dynamic_field",
    Column("id", Integer, primary_key=True),
    Column("internal_field", SmallInteger, nullable=False, server_default="0"),
    Column("name", String(191), nullable=False, unique=True),
    Column("label", String(200), nullable=False),
    Column("field_order", Integer, nullable=False),
    Column("field_type", String(200), nullable=False),
    Column("object_type", String(100), nullable=False),
    Column("config", Blob),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

dynamic_field_value = _table(
    "dynamic_field_value",
    Column("id", BIG_ID, primary_key=True),
    Column("field_id", Integer, ForeignKey("dynamic_field.id"), nullable=False),
    Column("object_id", BigInteger, nullable=False),
    Column("value_text", LONG_TEXT),
    Column("value_date", Stamp),
    Column("value_int", BigInteger),
    Column("index_value", SmallInteger),
    Column("index_set", SmallInteger),
    Index("field_values", "object_id", "field_id"),
    Index("search_date", "field_id", "value_date"),
    Index("search_int", "field_id", "value_int"),
    Index("search_text", "field_id", "value_text", mysql_length={"value_text": 150}),
)

INDEX_COLUMNS = ("index_value", "index_set")
"""Columns that OTOBO 11 has and OTOBO 10, Znuny and OTRS lack."""

dynamic_field_obj_id_name = _table(
    "dynamic_field_obj_id_name",
    Column("object_id", Integer, primary_key=True),
    Column("object_name", String(191), nullable=False),
    Column("object_type", String(100), nullable=False),
    Index("dynamic_field_object_name", "object_name", "object_type", unique=True),
)

customer_user = _table(
    "customer_user",
    Column("id", Integer, primary_key=True),
    Column("login", String(191), nullable=False, unique=True),
    Column("email", String(150), nullable=False),
    Column("customer_id", String(150), nullable=False),
    Column("pw", String(128)),
    Column("title", String(50)),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("phone", String(150)),
    Column("fax", String(150)),
    Column("mobile", String(150)),
    Column("street", String(150)),
    Column("zip", String(200)),
    Column("city", String(200)),
    Column("country", String(200)),
    Column("comments", String(250)),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

customer_preferences = _table(
    "customer_preferences",
    Column("user_id", String(191), nullable=False, index=True),
    Column("preferences_key", String(150), nullable=False),
    Column("preferences_value", String(250)),
)

customer_company = _table(
    "customer_company",
    Column("customer_id", String(150), primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
    Column("street", String(200)),
    Column("zip", String(200)),
    Column("city", String(200)),
    Column("country", String(200)),
    Column("url", String(200)),
    Column("comments", String(250)),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

customer_user_customer = _table(
    "customer_user_customer",
    Column("user_id", String(100), nullable=False, index=True),
    Column("customer_id", String(150), nullable=False, index=True),
    *_stamps(),
)

groups_table = _table(
    "groups_table",
    Column("id", Integer, primary_key=True),
    Column("name", String(191), nullable=False, unique=True),
    Column("comments", String(250)),
    Column("valid_id", SmallInteger, nullable=False),
    *_stamps(),
)

GROUP_TABLES = ("groups_table", "permission_groups", "groups")
"""What the table of groups is called: in OTOBO, in Znuny, and in OTRS."""

group_customer_user = _table(
    "group_customer_user",
    Column("user_id", String(100), nullable=False, index=True),
    Column("group_id", Integer, nullable=False, index=True),
    Column("permission_key", String(20), nullable=False),
    Column("permission_value", SmallInteger, nullable=False),
    *_stamps(),
)

group_customer = _table(
    "group_customer",
    Column("customer_id", String(150), nullable=False, index=True),
    Column("group_id", Integer, nullable=False, index=True),
    Column("permission_key", String(20), nullable=False),
    Column("permission_value", SmallInteger, nullable=False),
    Column("permission_context", String(100), nullable=False),
    *_stamps(),
)

service_customer_user = _table(
    "service_customer_user",
    Column("customer_user_login", String(200), nullable=False, index=True),
    Column("service_id", Integer, nullable=False, index=True),
    Column("create_time", Stamp(), nullable=False),
    Column("create_by", Integer, nullable=False),
)

search_profile = _table(
    "search_profile",
    Column("login", String(200), nullable=False, index=True),
    Column("profile_name", String(200), nullable=False),
    Column("profile_type", String(30), nullable=False),
    Column("profile_key", String(200), nullable=False),
    Column("profile_value", String(200)),
)

sysconfig_default = _table(
    "sysconfig_default",
    Column("id", Integer, primary_key=True),
    Column("name", String(250), nullable=False, unique=True),
    Column("description", Blob, nullable=False),
    Column("navigation", String(200), nullable=False),
    Column("is_invisible", SmallInteger, nullable=False),
    Column("is_readonly", SmallInteger, nullable=False),
    Column("is_required", SmallInteger, nullable=False),
    Column("is_valid", SmallInteger, nullable=False),
    Column("has_configlevel", SmallInteger, nullable=False),
    Column("user_modification_possible", SmallInteger, nullable=False),
    Column("user_modification_active", SmallInteger, nullable=False),
    Column("user_preferences_group", String(250)),
    Column("xml_content_raw", Blob, nullable=False),
    Column("xml_content_parsed", Blob, nullable=False),
    Column("xml_filename", String(250), nullable=False),
    Column("effective_value", Blob, nullable=False),
    Column("is_dirty", SmallInteger, nullable=False),
    Column("exclusive_lock_guid", String(32), nullable=False),
    Column("exclusive_lock_user_id", Integer),
    Column("exclusive_lock_expiry_time", Stamp),
    *_stamps(),
)

sysconfig_modified = _table(
    "sysconfig_modified",
    Column("id", Integer, primary_key=True),
    Column("sysconfig_default_id", Integer, nullable=False),
    Column("name", String(250), nullable=False),
    Column("user_id", Integer),
    Column("is_valid", SmallInteger, nullable=False),
    Column("user_modification_active", SmallInteger, nullable=False),
    Column("effective_value", Blob, nullable=False),
    Column("is_dirty", SmallInteger, nullable=False),
    Column("reset_to_default", SmallInteger, nullable=False),
    *_stamps(),
    Index("sysconfig_modified_per_user", "sysconfig_default_id", "user_id", unique=True),
)


def create_all(engine: Engine) -> None:
    """Create the tables in an empty database of a demo or a test; never on a real system."""
    metadata.create_all(engine)
