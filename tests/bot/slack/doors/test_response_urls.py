"""Where answers may go: Slack's hosts and SLACK_API_URL's, and nothing that only looks like them."""

import pytest

from bot.slack.doors.response_urls import is_slacks, shown

SLACK_API = "https://slack.com/api/"


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/commands/T0/1/abc",
        "https://hooks.slack.com/actions/T0/1/abc",
        "https://hooks.slack.com/app/T0/1/abc",
        "https://hooks.slack-gov.com/commands/T0/1/abc",
        "https://slack.com/commands/T0",
    ],
)
def test_slacks_own_addresses_are_taken(url: str) -> None:
    assert is_slacks(url, SLACK_API)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/commands/T0/1/abc",
        "https://hooks.slack.com",
        "https://hooks.slack.com.evil.test/commands/T0",
        "https://hooks.slack.com@evil.test/commands/T0",
        "https://hooks.slack.com:8443/commands/T0",
        "https://evil.test/https://hooks.slack.com/commands/T0",
        "https://hooks.slack.com\\@evil.test/",
        "https://hooks.slack.com/\\@evil.test/",
        "https://hooks.slack.com/ a",
        "https://hooks.slack.com/\r\nHost: evil.test",
        "HTTPS://HOOKS.SLACK.COM/commands",
        "//hooks.slack.com/commands",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "",
        None,
        42,
        ["https://hooks.slack.com/"],
    ],
)
def test_nothing_else_is(url: object) -> None:
    assert not is_slacks(url, SLACK_API)


def test_the_address_of_another_api_counts_with_its_scheme_host_and_port() -> None:
    api = "http://127.0.0.1:8080/api/"
    assert is_slacks("http://127.0.0.1:8080/commands/T0/1/abc", api)
    assert not is_slacks("http://127.0.0.1:8081/commands/T0/1/abc", api)
    assert not is_slacks("http://127.0.0.1:80801/commands/T0/1/abc", api)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://evil.test/commands/T0/secret", "https://evil.test"),
        ("https://user:password@evil.test:99/secret?a=b", "https://evil.test"),
        ("http://[::1/secret", "no address"),
        ("secret", "no address"),
        (None, "no address"),
    ],
)
def test_of_an_address_only_the_host_is_shown(url: object, told: str) -> None:
    assert shown(url) == told
