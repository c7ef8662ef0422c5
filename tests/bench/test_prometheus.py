"""The peer is given the same world: two series a connector, and the same rules in its own language."""

import json
import urllib.request

from bench.peers import prometheus
from bench.world import Fleet, Watch, watches


def test_each_connector_is_two_series_and_the_faulted_ones_say_so() -> None:
    fleet = Fleet(200)
    samples = [line for line in prometheus.exposition(fleet).splitlines() if not line.startswith("#")]
    assert len(samples) == 400
    assert 'ev_connector_status{charger="12",connector="12.2",location="l1",status="Faulted"} 1' in samples
    assert sum('status="Faulted"' in line for line in samples) == 4


def test_a_rule_asks_in_promql_what_it_asks_in_ours() -> None:
    everywhere = Watch("a", None, reads_power=False)
    assert prometheus.expression(everywhere) == 'ev_connector_status{status="Faulted"} == 1'
    asked = prometheus.expression(Watch("b", "l3", reads_power=True))
    one_place = 'ev_connector_status{status="Faulted",location="l3"} == 1'
    assert asked == f'{one_place} and ignoring(status) ev_connector_power_kw{{location="l3"}} < 1000'


def test_all_rules_stand_in_one_group_with_the_same_for() -> None:
    (group,) = json.loads(prometheus.rule_file(Fleet(400), 16))["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [watch.name for watch in watches(400, 16)]
    assert {rule["for"] for rule in group["rules"]} == {"30s"}


def test_the_target_answers_every_scrape_with_all_of_it() -> None:
    body = prometheus.exposition(Fleet(8))
    with (
        prometheus.target(body) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer,
    ):
        assert answer.read().decode() == body
