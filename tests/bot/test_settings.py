"""Every setting says what it is for and is read somewhere."""

import re

import pytest

from bot.setting_doubts import odd_names
from bot.setting_purposes import PURPOSES, SECRETS
from bot.settings import Settings
from tests.conftest import ROOT

FIELDS = {name.upper() for name in Settings.model_fields} - {f"{secret}_FILE" for secret in SECRETS}


def test_every_setting_has_its_purpose_and_every_secret_its_file() -> None:
    assert set(PURPOSES) == FIELDS
    secret = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == set(SECRETS)
    assert {f"{name.lower()}_file" for name in SECRETS} <= set(Settings.model_fields)


def test_every_setting_is_read_somewhere() -> None:
    code = "\n".join(file.read_text() for file in (ROOT / "bot").rglob("*.py"))
    unread = [
        name for name in FIELDS if not re.search(rf'\b(?:self|settings)\.{name.lower()}\b|secret\("{name}"\)', code)
    ]
    assert unread == []


def test_a_name_that_is_no_slack_id_is_doubted() -> None:
    settings = Settings(_env_file=None, chargehand_admins=("ada", "U0ADA00001"), chargehand_operators=("@oncall",))  # type: ignore[call-arg]  # mypy does not see the name
    (told,) = odd_names(settings)
    assert told.startswith("CHARGEHAND_ADMINS: ada is no Slack id")


def test_only_slack_or_an_operator_opens_the_door_to_other_machines() -> None:
    def host(**values: str) -> str:
        return Settings(_env_file=None, **values).host()  # type: ignore[call-arg, arg-type]  # mypy does not see the name

    assert host(slack_app_token="xapp-1") == "127.0.0.1"
    assert host() == "0.0.0.0"
    assert host(slack_app_token="xapp-1", chargehand_bind="::") == "::"
    with pytest.raises(ValueError, match="no IP address"):
        host(chargehand_bind="localhost")
