"""Things by what people call them: the whole name before words of it, those before the place's, and near ones told."""

import sqlalchemy as sa

from storage.engine import Database
from storage.queries.names import things_called
from storage.schema import LOCATION
from tests.notify.records import insert_location


def fleet(database: Database) -> None:
    with database.write() as connection:
        for number, name in enumerate(("Écluse Nord", "Écluse Sud", "Nord", "100% <x>_'\"")):
            insert_location(connection, f"l{number}")
            connection.execute(sa.update(LOCATION).where(LOCATION.c.id == f"l{number}").values(name=name))


def found(database: Database, said: str) -> tuple[list[str], bool]:
    with database.read() as connection:
        told = things_called(connection, said, ("location", "charger"))
    return [one.id for one in told.things], told.is_near


def test_names_are_found_in_any_case_of_any_script(database: Database) -> None:
    fleet(database)
    assert found(database, "écluse nord") == (["l0"], False)
    assert found(database, "ÉCLUSE") == (["l0", "l1"], False)
    assert found(database, "nord") == (["l2"], False), "the whole name goes before words of it"
    assert found(database, "sud écluse") == (["l1"], False)
    assert found(database, "L1") == (["l1"], False), "an id in any case"
    assert found(database, "100%") == (["l3"], False)
    assert found(database, "écluse norf") == (["l0"], True)
    assert found(database, "zebra") == ([], True)
    assert found(database, "  ")[0] == []
