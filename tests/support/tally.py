"""Writes to a pair whose target notes every applied change, so that one that is applied twice is seen."""

from __future__ import annotations

import psycopg

# A change that is applied again over a newer one leaves a second line; the count of applied rows would differ, too.
TALLY = """
CREATE TABLE tally (thing int, size int);
CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO tally VALUES (NEW.thing_id, NEW.size); RETURN NULL; END $$;
CREATE TRIGGER count_it AFTER INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION count_it();
ALTER TABLE thing ENABLE ALWAYS TRIGGER count_it;
ALTER TABLE thing DROP CONSTRAINT thing_size_check;
"""


class Writer:
    """Small transactions that delete, insert and update; what it has written is counted."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn, self.number, self.changes = conn, 0, 0

    def write(self) -> None:
        self.number += 1
        at, slot = self.number, 1 + self.number % 20
        with self.conn.transaction():
            for statement in (
                f"DELETE FROM item WHERE id = {100 + slot}",
                f"INSERT INTO item VALUES ({100 + slot}, 'a', NULL, NULL, {at})",
                f"UPDATE item SET size = {at} WHERE id = {slot}",
            ):
                self.changes += self.conn.execute(statement.encode()).rowcount
