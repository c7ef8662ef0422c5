"""Every table that is declared can be named: by its class, and for statements."""

import importlib
import pkgutil

from sqlalchemy import Table
from sqlmodel import SQLModel

from storage import schema, tables


def test_every_table_is_exported_by_its_class() -> None:
    for module in pkgutil.iter_modules(tables.__path__, f"{tables.__name__}."):
        importlib.import_module(module.name)
    exported = {getattr(tables, name) for name in tables.__all__}
    declared = {mapper.class_ for mapper in SQLModel._sa_registry.mappers}
    assert declared <= exported


def test_every_table_has_one_name_for_statements() -> None:
    named = [table.name for table in vars(schema).values() if isinstance(table, Table)]
    assert sorted(named) == sorted(SQLModel.metadata.tables)
