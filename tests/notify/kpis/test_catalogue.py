"""Every KPI is written down, and what is written down is measured."""

import inspect

from notify.kpis import sessions, times
from notify.kpis.catalogue import KPIS, render_kpis
from notify.kpis.scope import By

PARTS = {"zero_energy", "stood", "utilisation_beside"}
"""What others are made of."""


def test_every_kpi_has_a_definition_a_unit_and_a_source_and_each_query_one_kpi() -> None:
    public = {
        name
        for module in (sessions, times)
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__ and not name.startswith("_")
    }
    assert public - PARTS == {kpi.query.__name__ for kpi in KPIS.values()} == set(KPIS)
    for key, kpi in KPIS.items():
        assert all((kpi.name, kpi.unit, kpi.definition.endswith("."), kpi.source)), key
        assert inspect.signature(kpi.query).parameters["by"].default is By.NETWORK
        assert f"| {kpi.name} |" in render_kpis()
