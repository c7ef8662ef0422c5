"""The ready alerts and dashboard: both load, and name no metric that Chargehand does not have."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from bot.service.operating.metrics import MEANINGS
from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "monitoring"
NAME = re.compile(r"\bchargehand_\w+")
KNOWN = {
    *MEANINGS,
    *(f"{name}_bucket" for name, (kind, _, _) in MEANINGS.items() if kind == "histogram"),
}


def promtool(*arguments: str) -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("Prometheus is absent: promtool was not found")
    done = subprocess.run([found, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "chargehand.dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_alerts_load_and_fire_where_they_should_and_nowhere_else() -> None:
    assert "SUCCESS" in promtool("check", "rules", "chargehand.rules.yml")
    assert "SUCCESS" in promtool("test", "rules", "chargehand.test.yml")


def test_the_dashboard_is_one_by_grafanas_form() -> None:
    schema = json.loads((Path(__file__).parent / "dashboard.schema.json").read_text())
    dashboard = json.loads((FOLDER / "chargehand.dashboard.json").read_text())
    jsonschema.validate(dashboard, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(dashboard | {"panels": [{"title": "of nothing"}]}, schema)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_expression_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_no_metric_is_named_that_there_is_not() -> None:
    files = [(FOLDER / name).read_text() for name in ("chargehand.rules.yml", "chargehand.test.yml")]
    named = {name for text in [*files, *expressions()] for name in NAME.findall(text)}
    assert named <= KNOWN
    assert len(named) > 10
