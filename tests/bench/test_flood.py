"""A flood of signed commands is typed at its pace, acknowledged and answered, and told in figures."""

from bench.flood import Flood, flooded, told


def test_a_flood_of_a_few_is_answered_whole() -> None:
    wanted = Flood(rate=20.0, seconds=0.5)
    typed = flooded(wanted)
    assert (len(typed.acknowledged), typed.failed) == (10, 0)
    assert told(wanted, typed).startswith("10 signed commands at 20 a second: acknowledged after ")
