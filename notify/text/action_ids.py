"""The ids of everything that can be clicked, in one enum: no listener and no block invents its own."""

from enum import StrEnum


class ActionId(StrEnum):
    """Slack action ids; renaming one breaks the buttons of messages already posted."""

    ACKNOWLEDGE_INCIDENT = "acknowledge_incident"
    SNOOZE_INCIDENT = "snooze_incident"
    END_SNOOZE = "end_snooze"
    CONFIRM_COMMAND = "confirm_command"
    APPROVE_COMMAND = "approve_command"
    REFUSE_COMMAND = "refuse_command"
    CANCEL_COMMAND = "cancel_command"
    CONFIRM_RULE = "confirm_rule"
    PREVIOUS_PAGE = "previous_page"
    NEXT_PAGE = "next_page"
    RUN_WORDS = "run_words"
    """Answer as if these words had been typed; numbered where a row holds several (`run_words_2`)."""
