"""The small fleets that conditions are tried on: each field of the catalogue is known in some of them."""

from hypothesis import HealthCheck, Phase, given, settings

from rules.language.fields import FIELDS, THINGS
from tests.rules.matching.worlds import World, worlds

NEVER_STORED = {"session.id_tag"}
"""Without a key nothing is stored of who charged."""


def test_every_field_of_the_catalogue_is_known_in_some_fleet() -> None:
    known: set[str] = set()

    @settings(max_examples=60, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(worlds())
    def draw(world: World) -> None:
        for thing in THINGS:
            for values in world.subjects(thing).values():
                known.update(key for key, value in values.items() if value is not None)

    draw()
    assert set(FIELDS) - known == NEVER_STORED
