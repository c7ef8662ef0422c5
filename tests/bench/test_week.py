"""A small fleet lives some hours as it would a week; what is wrong with a week is told."""

from datetime import timedelta

from bench.week import Sample, Wanted, Week, told, troubles, week


def sample(hour: float, rss: float, size: float = 10.0, queue: int = 0) -> Sample:
    return Sample(hour, round(hour * 4), rss, size, queue, 100)


def test_a_small_fleet_lives_some_hours_and_no_message_waits() -> None:
    lived = week(Wanted(10, 0.06, timedelta(minutes=20), timedelta(hours=2)))
    assert [one.hours for one in lived.samples] == [1.0]
    assert lived.samples[-1].queue == 0
    assert lived.moved > 0
    assert lived.said > 0
    assert all(one.rss_mb > 50 and one.database_mb > 0.1 and one.rows > 20 for one in lived.samples)


def test_a_steady_week_is_well_and_its_figures_are_told() -> None:
    steady = Week([sample(hour, 300 + hour % 3) for hour in range(1, 169)], moved=7, said=3)
    assert troubles(steady, 72) == []
    assert "| 7 | 300 MB | 10.0 MB | 100 | 0 |" in told(steady, 72)


def test_what_grows_or_waits_is_told() -> None:
    assert troubles(Week([sample(hour, 300 + 2 * hour) for hour in range(1, 169)]), 72) == ["memory grows"]
    growing = Week([sample(hour, 300, size=10 + hour / 10) for hour in range(1, 169)])
    assert troubles(growing, 72) == ["the database grows"]
    waiting = Week([sample(hour, 300, queue=5) for hour in range(1, 169)])
    assert troubles(waiting, 72) == ["5 messages wait at the end"]
    assert troubles(Week([sample(1, 300)]), 72) == ["it was over before the warm-up"]
