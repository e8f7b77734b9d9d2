"""Every code of a message has words: where the household reads them, and where the staff does."""

import pytest

from gateway.console import words
from menus import sms_words
from mutuelle.messaging.messages import ALWAYS, MessageKind, MessageStatus
from mutuelle.messaging.reminders import ReminderSubject

WORDED_ELSEWHERE = {MessageKind.REMINDER}  # by the keys below, which say what it is about


@pytest.mark.parametrize("language", sms_words.CATALOGUES)
def test_every_kind_of_message_has_words_in_every_language(language):
    assert set(MessageKind) - WORDED_ELSEWHERE <= sms_words.CATALOGUES[language].keys()


@pytest.mark.parametrize("language", sms_words.CATALOGUES)
def test_every_subject_of_a_reminder_has_words_in_every_language(language):
    keys = {"reminder.promise"} | {
        f"reminder.{about}-{when}"
        for about in (ReminderSubject.END, ReminderSubject.START)
        for when in ("before", "after")
    }
    assert set(ReminderSubject) == {key.split(".")[1].split("-")[0] for key in keys}
    assert keys <= sms_words.CATALOGUES[language].keys()


def test_every_kind_and_status_of_a_message_has_words_in_the_console():
    assert set(MessageStatus) == words.WORDS["sms-status"].keys()
    assert set(MessageKind) - {MessageKind.STOPPED, MessageKind.STARTED} <= words.WORDS["sms"].keys()


def test_what_is_sent_after_a_stop_is_a_kind_of_message():
    assert set(MessageKind) >= ALWAYS
