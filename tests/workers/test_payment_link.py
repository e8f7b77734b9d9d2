"""A live payment's link can be sent again: the same link, to the phone that asked, without a new request."""

import pytest

from menus import session_rows
from menus.facts import PendingPayment
from mutuelle import clock, db
from mutuelle.errors import Refused
from mutuelle.payments import payments
from tests.workers.world import Home, WorkerWorld


def again(home: Home) -> None:
    with db.transaction(db.Role.APP, home.account.tenant_id) as session:
        payments.resend_link(session, home.account.tenant_id, home.id, language="fr")


def pending(home: Home) -> PendingPayment | None:
    """The pending payment in the facts of a session that is opened now."""
    gateway, tenant = clock.new_id(), home.account.tenant_id
    with db.transaction(db.Role.APP, tenant, gateway=gateway) as session:
        entered = session_rows.look_up(session, gateway, "again", tenant, home.phone)
        household = session_rows.opening_facts(entered.opening, tenant, flow="any").household
    assert household is not None
    return household.pending


def test_the_same_link_leaves_again_a_few_times_and_the_operator_is_asked_once(town: WorkerWorld) -> None:
    home = town.joins()
    payment = town.asks(home)
    with pytest.raises(Refused, match=r"pay\.no-link"):
        again(home)
    town.collect()
    for _ in range(payments.LINKS_MAX - 1):
        again(home)
    with pytest.raises(Refused, match=r"pay\.links-sent"):
        again(home)
    links = [message for message in town.messages() if message.kind == "link"]
    assert len({(message.facts["link"], message.phone_index) for message in links}) == 1
    assert town.sms() == ["link"] * payments.LINKS_MAX
    assert len(town.prompts(home)) == 1
    town.answers(home)
    town.read_callbacks()
    assert (town.status(payment), town.parts()) == ("confirmed", {"bill": 3_000})
    with pytest.raises(Refused, match=r"pay\.no-link"):
        again(home)
    town.check_books()


def test_the_facts_of_a_pending_payment_hold_when_it_ends(town: WorkerWorld) -> None:
    home = town.joins()
    town.asks(home)
    assert pending(home) == PendingPayment(3_000, "wave", False, pending(home).ends)
    town.collect()
    waiting = pending(home)
    assert waiting.link
    assert len(waiting.ends) == 5
    town.pass_time(3_600)
    assert pending(home) == PendingPayment(3_000, "wave", True, None)
    town.poll()
    assert pending(home) is None, "it expired by the operator's own word"


def test_a_prompt_has_no_link_to_send_again(town: WorkerWorld) -> None:
    home = town.joins("mtn")
    town.asks(home)
    town.collect()
    assert not pending(home).link
    with pytest.raises(Refused, match=r"pay\.no-link"):
        again(home)
