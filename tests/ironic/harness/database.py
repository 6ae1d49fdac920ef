"""Changes behind Ironic's back, in its database: more nodes than anybody wants to enrol, and changes at a known time.

    nodes DIR clone NODE N     N copies of a node and of its first port, named PREFIX00000 and so on after NODE's name without
                               its last part (`metal3~bench-0` to `metal3~bench-c00000`), with MAC addresses 52:54:01:...
    nodes DIR power            changes power states: reads lines `NAME on|off` and answers each with the time of its commit,
                               in seconds since 1970

DIR is a lab's folder. Ironic itself notices nothing: no notification, no power synchronisation.
"""

import argparse
import sqlite3
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path


def connect(state: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(state / "ironic.sqlite", timeout=30, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def clone(database: sqlite3.Connection, name: str, count: int) -> None:
    node = dict(database.execute("select * from nodes where name = ?", (name,)).fetchone())
    port = dict(database.execute("select * from ports where node_id = ? order by id", (node["id"],)).fetchone())
    prefix = name.rpartition("-")[0]
    first = database.execute("select max(id) from nodes").fetchone()[0] + 1
    nodes, ports = [], []
    for index in range(count):
        mac = f"52:54:01:{index >> 16:02x}:{index >> 8 & 255:02x}:{index & 255:02x}"
        nodes.append(node | {"id": first + index, "uuid": str(uuid.uuid4()), "name": f"{prefix}-c{index:05d}"})
        ports.append(port | {"id": None, "uuid": str(uuid.uuid4()), "node_id": first + index, "address": mac})
    database.execute("begin immediate")
    for table, rows in (("nodes", nodes), ("ports", ports)):
        columns = list(rows[0])
        marks = ", ".join("?" * len(columns))
        sql = f"insert into {table} ({', '.join(columns)}) values ({marks})"
        database.executemany(sql, [[row[column] for column in columns] for row in rows])
    database.execute("commit")


def power(database: sqlite3.Connection) -> None:
    for line in sys.stdin:
        name, state = line.split()
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        changed = database.execute(
            "update nodes set power_state = ?, updated_at = ? where name = ?", (f"power {state}", now, name)
        )
        print(f"{time.time():.6f}" if changed.rowcount else "none", flush=True)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="nodes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("state", type=Path, metavar="DIR")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("clone")
    command.add_argument("node")
    command.add_argument("count", type=int)
    commands.add_parser("power")
    given = parser.parse_args(argv)
    database = connect(given.state)
    if given.command == "clone":
        clone(database, given.node, given.count)
    else:
        power(database)
