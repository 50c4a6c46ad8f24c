"""A live MySQL or MariaDB as the statements that mysqldump would write, read by the same reader as a script.

The server writes the definitions (SHOW CREATE ...), in a session without sql_mode, so that names stand in backticks and
strings in single quotes whatever the server's own setting is. Nothing is written and no row is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from config.errors import USAGE, DatabaseDown, StranglerError
from migrations.importing.model import Object
from migrations.importing.script import Statement
from migrations.importing.tokens import tokenize

if TYPE_CHECKING:
    import pymysql

SCHEMES = ("mysql", "mariadb")
_OPTIONS = ("unix_socket", "ssl_ca")
_SECONDS = 60
_SESSION = ("SET SESSION sql_mode = '', sql_quote_show_create = 1", "SET SESSION TRANSACTION READ ONLY")
_NAMES = "SELECT {name} FROM information_schema.{relation} WHERE {schema} = %s AND {condition} ORDER BY 1"
_IN_TABLES = {"name": "table_name", "relation": "tables", "schema": "table_schema"}
_IN_ROUTINES = {"name": "routine_name", "relation": "routines", "schema": "routine_schema"}
# In the order of mysqldump: the kind, where its names are, and which column of SHOW CREATE has the statement.
_LISTS = (
    ("TABLE", _IN_TABLES | {"condition": "table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"}, 1),
    ("SEQUENCE", _IN_TABLES | {"condition": "table_type = 'SEQUENCE'"}, 1),
    ("TRIGGER", {"name": "trigger_name", "relation": "triggers", "schema": "trigger_schema"}, 2),
    ("EVENT", {"name": "event_name", "relation": "events", "schema": "event_schema"}, 3),
    ("FUNCTION", _IN_ROUTINES | {"condition": "routine_type = 'FUNCTION'"}, 2),
    ("PROCEDURE", _IN_ROUTINES | {"condition": "routine_type = 'PROCEDURE'"}, 2),
    ("VIEW", _IN_TABLES | {"condition": "table_type = 'VIEW'"}, 1),
)


@dataclass(eq=False)
class MysqlNotReadable(StranglerError):
    """An address that leads to no database of MySQL, or no driver to read it with."""

    problem: str
    remedy: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """What is wrong; never the address, which may hold a password."""
        return f"The live MySQL database cannot be read: {self.problem}."

    @property
    def hint(self) -> str:
        """What to do about it."""
        return self.remedy


@dataclass(frozen=True)
class Address:
    """Where the database is, as an URL and the environment say."""

    host: str
    port: int
    user: str
    password: str
    database: str
    options: dict[str, str]


def address_of(url: str, environment: dict[str, str] | None = None) -> Address:
    """Read mysql://USER:PASSWORD@HOST:PORT/DATABASE; the password may be in MYSQL_PWD. Raises MysqlNotReadable."""
    parts = urlsplit(url)
    environment = dict(os.environ) if environment is None else environment
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise MysqlNotReadable(f"its address has an option {unknown[0]}", f"Known: {', '.join(_OPTIONS)}.")
    try:
        port = parts.port or 3306
    except ValueError:
        raise MysqlNotReadable("the port of its address is no number", "mysql://USER@HOST:3306/DATABASE") from None
    database = unquote(parts.path.lstrip("/"))
    if not database:
        raise MysqlNotReadable("its address names no database", "mysql://USER@HOST:3306/DATABASE")
    password = unquote(parts.password) if parts.password is not None else environment.get("MYSQL_PWD", "")
    user = unquote(parts.username or "") or environment.get("USER", "")
    return Address(parts.hostname or "127.0.0.1", port, user, password, database, options)


def read_statements(url: str) -> Iterator[Statement | Object]:
    """Every object of the database as its statement; one that may not be read is an object that is left out.

    Raises MysqlNotReadable, DatabaseDown.
    """
    if find_spec("pymysql") is None:
        raise MysqlNotReadable(
            "its driver is not installed", "pip install 'strangler[mysql]', or give a mysqldump file."
        )
    import pymysql

    address = address_of(url)
    try:
        with _connected(address) as connection, connection.cursor() as cursor:
            for setting in _SESSION:
                cursor.execute(setting)
            for kind, listing, place in _LISTS:
                cursor.execute(_NAMES.format_map({"condition": "true"} | listing), (address.database,))
                for (name,) in cursor.fetchall():
                    yield _read(cursor, kind, str(name), place)
    except pymysql.err.MySQLError as error:
        raise DatabaseDown("the database to import from", _told(error)) from error


def _connected(address: Address) -> pymysql.Connection[Any]:
    import pymysql

    ca, unix_socket = (address.options.get(name) for name in ("ssl_ca", "unix_socket"))
    return pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
        unix_socket=unix_socket,
        ssl_ca=ca,
        ssl_verify_identity=bool(ca),
        charset="utf8mb4",
        connect_timeout=5,
        read_timeout=_SECONDS,
        program_name="strangler",
    )


def _read(cursor: Any, kind: str, name: str, place: int) -> Statement | Object:
    import pymysql

    reason = "the server does not show its definition to this user: SHOW CREATE wants more privileges"
    try:
        cursor.execute(f"SHOW CREATE {kind} `{name.replace('`', '``')}`")
        row = cursor.fetchone()
    except (pymysql.err.ProgrammingError, pymysql.err.OperationalError, pymysql.err.InternalError) as error:
        row, reason = None, f"SHOW CREATE failed: {_told(error)}"
    tokens = tuple(tokenize(row[place], "mysql")) if row and row[place] else ()
    if tokens:
        return Statement(tokens)
    found = Object(name, kind.lower(), "left_out")
    found.note("left out", reason)
    return found


def _told(error: Exception) -> str:
    """The server's sentence, without the tuple around it."""
    return str(error.args[1]) if len(error.args) > 1 else str(error)
