"""The ids of everything that can be clicked, in one enum: no listener and no block invents its own."""

from enum import StrEnum


class ActionId(StrEnum):
    """Slack action ids; renaming one breaks the buttons of messages already posted."""

    ACKNOWLEDGE_INCIDENT = "acknowledge_incident"
    SNOOZE_INCIDENT = "snooze_incident"
    END_SNOOZE = "end_snooze"
    UNDO_ACKNOWLEDGE = "undo_acknowledge"
    SILENCE_ALERTS = "silence_alerts"
    WHY_ALERTS = "why_alerts"
    ACT_ON_ALERTS = "act_on_alerts"
    ALERT_MENU = "alert_menu"
    """Whatever of a card's buttons has no room beside the first five; the option's value says which it is."""
    OPEN_FORM = "open_form"
    """Open a form in a modal; numbered where a row holds several (`open_form_2`)."""
    CONFIRM_COMMAND = "confirm_command"
    APPROVE_COMMAND = "approve_command"
    REFUSE_COMMAND = "refuse_command"
    CANCEL_COMMAND = "cancel_command"
    CONFIRM_RULE = "confirm_rule"
    CONFIRM_WORDS = "confirm_words"
    """Do what the words say that were shown first; its nonce lets it act once."""
    PREVIOUS_PAGE = "previous_page"
    NEXT_PAGE = "next_page"
    RUN_WORDS = "run_words"
    """Answer as if these words had been typed; numbered where a row holds several (`run_words_2`)."""
