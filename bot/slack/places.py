"""Which place words are about: the channel that they name, or where they were typed; in a direct message the person.

Slack is asked what it knows of the channel, and whether the bot is in it. Nothing here joins a channel or posts.
"""

import asyncio
from dataclasses import replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.channel_names import ChannelNames, is_channel_id
from bot.slack.charge.answer import Place
from bot.slack.charge.spoken import channel_of, split
from bot.slack.client import NotNow
from bot.slack.web_client import SLACK_FAULTS, error_name

ME = "me"
NOT_THERE = frozenset({"channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"})


async def find_place(
    slack: AsyncWebClient, names: ChannelNames, text: str, *, channel: str, user: str, seconds: float
) -> Place:
    """The place that a text means which `user` typed in `channel`; Slack has so many seconds to tell of it."""
    named, name = channel_of(text)
    if not named and not name and (channel[:1] in {"D", "U", "W"} or ME in map(str.lower, split(text)[1:])):
        return Place(user, is_person=True)
    place = Place(named or (f"#{name}" if name else channel), name)
    try:
        async with asyncio.timeout(seconds):
            if not is_channel_id(place.channel):
                place = replace(place, channel=await names.id_of(slack, place.channel))
            if not is_channel_id(place.channel):
                names.forget()  # it may be made, or the bot be invited, before somebody asks again
                return replace(place, why_not="unknown")
            told = (await slack.conversations_info(channel=place.channel))["channel"]
    except SlackApiError as error:
        return replace(place, why_not="not in it" if error_name(error) in NOT_THERE else "unanswered")
    except (NotNow, *SLACK_FAULTS):
        return replace(place, why_not="unanswered")
    if told.get("is_im"):
        return Place(user, is_person=True)
    why_not = "archived" if told.get("is_archived") else "" if told.get("is_member") else "not in it"
    called = str(told.get("name") or name or place.channel)
    return Place(place.channel, called, is_private=bool(told.get("is_private")), why_not=why_not)
