"""Turns that come twice, from another phone, half done or not at all: each acts once and leaks nothing."""

from concurrent.futures import ThreadPoolExecutor

from tests.end_to_end.stories.world import RWANDA, SENEGAL, StoryWorld, until

CANARY = "4071"  # typed where a PIN might be typed by mistake


def payments_of(world: StoryWorld, number: str) -> list[tuple[str, int]]:
    """Returns status and amount of every payment of the household."""
    query = (
        "SELECT p.status, p.amount FROM payments p JOIN households h ON h.id = p.household_id"
        " WHERE h.number = %s ORDER BY p.created_at"
    )
    return world.sql(query, number)


def test_a_declined_payment_is_notified_and_can_be_made_again(world: StoryWorld):
    phone = world.phone(RWANDA)
    phone.join(category="3")
    number = world.number_of(phone)
    phone.go("2", "1", "1")
    phone.answer("decline")
    assert "a échoué, rien n'est compté" in phone.wait_sms("échoué")
    assert "Pas encore couvert: rien n'est payé" in phone.go("1")
    assert "Reste 0 RWF" in phone.pay()
    assert [status for status, _ in payments_of(world, number)] == ["failed", "confirmed"]


def test_while_a_payment_waits_no_second_one_is_made(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    number = world.number_of(phone)
    phone.go("2", "1", "1")
    (link,) = until(lambda: phone.prompts, what="a link")
    phone.wait_sms("ouvrez http")
    phone.answer("decline")  # the link stays open until it expires, and may still be paid
    assert "Paiement de 11 500 FCFA en cours (Wave)" in phone.go("1")
    assert "1. Renvoyer le lien" in phone.type("1")
    assert "Il n'y aura qu'un seul paiement" in phone.type("1")
    assert "repart par SMS" in phone.type("1")
    links = until(
        lambda: texts if len(texts := [sms for sms in phone.sms if "ouvrez http" in sms]) > 1 else None,
        what="a second",
    )
    assert links == [links[0]] * 2
    world.sandbox("POST", f"/phones/{phone.number}/prompts/{link['id']}", answer="approve")
    phone.wait_sms("réf")
    assert payments_of(world, number) == [("confirmed", 11500)]


def test_a_payment_link_works_for_its_own_payer_only(world: StoryWorld):
    phone, other = world.phone(SENEGAL), world.phone(SENEGAL)
    phone.join()
    phone.go("2", "1", "1")
    (prompt,) = until(lambda: phone.prompts, what="a link")
    assert other.prompts == []
    tried = world.sandbox("POST", f"/phones/{other.number}/prompts/{prompt['id']}", answer="approve")
    assert tried["status"] == "cancelled"
    assert "en cours" in phone.go("1")
    assert [row["payer"] for row in world.sandbox("GET", "/truth") if row["payer"] == other.number] == []
    phone.answer("approve")
    phone.wait_sms("réf")


def test_a_dropped_dialogue_goes_on_where_it_stopped(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.go("3", "1", "1", "2", "1")
    phone.hang_up()
    assert "Votre adhésion n'est pas finie" in phone.dial()
    assert "Tapez 2 chiffres par année" in phone.type("1")
    assert "Bienvenue" in phone.type("808512", "1")
    phone.go("2", "2", "3000")
    phone.hang_up()
    assert "Votre paiement n'est pas fini" in phone.dial()
    assert "Payer 3 000 FCFA avec Wave" in phone.type("1")
    phone.hang_up()
    assert phone.prompts == []
    assert "Reste à payer: 11 500 FCFA" in phone.go("2")  # declining the offer is choosing something else


def test_a_dialled_shortcut_stops_at_the_confirm(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    number = world.number_of(phone)
    screen = phone.dial("2*1")
    assert screen.open
    assert "Payer 11 500 FCFA avec Wave" in screen
    screen = phone.dial("2*1*1")
    assert screen.open
    assert "Payer 11 500 FCFA avec Wave" in screen
    assert payments_of(world, number) == []
    assert not phone.type("1").open
    assert payments_of(world, number) == [("requested", 11500)] or until(lambda: phone.prompts)
    phone.answer()
    phone.wait_sms("réf")


def test_the_same_hop_twice_and_ten_times_at_once_acts_once(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    number = world.number_of(phone)
    texts = ["", "2", "2*1"]
    screens = [[world.turn(phone.number, "ATUid_twice", text).text for _ in range(2)] for text in texts]
    assert [once == again for once, again in screens] == [True, True, True]
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: world.turn(phone.number, "ATUid_twice", "2*1*1"), range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].text.startswith("END Vous recevez un SMS avec un lien Wave")
    assert len(payments_of(world, number)) == 1
    assert world.turn(phone.number, "ATUid_twice", "2*1*1").text == answers[0].text
    assert world.turn(phone.number, "ATUid_twice", "2*1").text == screens[2][0], (
        "a late repeat of an older turn"
    )
    phone.answer()
    phone.wait_sms("réf")
    assert payments_of(world, number) == [("confirmed", 11500)]


def test_ten_joins_at_once_are_one_household(world: StoryWorld):
    phone = world.phone(SENEGAL)
    text = "3*1*1*2*1*808512"
    for end in range(0, 7):
        world.turn(phone.number, "ATUid_joins", "*".join(text.split("*")[:end]))
    with ThreadPoolExecutor(10) as threads:
        answers = {
            answer.text
            for answer in threads.map(
                lambda _: world.turn(phone.number, "ATUid_joins", f"{text}*1"), range(10)
            )
        }
    assert len(answers) == 1, answers
    number = world.number_of(phone)
    assert number in answers.pop()
    assert sum("votre famille est inscrite" in sms for sms in phone.sms) == 1


def test_the_session_of_another_phone_ends_politely(world: StoryWorld):
    phone, other = world.phone(SENEGAL), world.phone(SENEGAL)
    phone.join()
    number = world.number_of(phone)
    assert (
        number
        in world.turn(phone.number, "ATUid_stolen", "").text
        + world.turn(phone.number, "ATUid_stolen", "2").text
    )
    for text in ("", "2", "2*1", "2*1*1"):
        response = world.turn(other.number, "ATUid_stolen", text)
        assert response.status_code == 200
        assert response.text.startswith("END Désolé, la session est perdue")
    world.forget_sessions()  # nor without the cache
    assert world.turn(other.number, "ATUid_stolen", "2*1*1").text.startswith("END Désolé")
    assert payments_of(world, number) == []
    assert "CON Payer 11 500 FCFA" in world.turn(phone.number, "ATUid_stolen", "2*1").text


def test_what_was_typed_and_shown_is_not_kept_of_the_end_of_a_session(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.go("4", CANARY * 3, CANARY)
    phone.hang_up()
    query = (
        "SELECT report FROM ussd_sessions"
        " WHERE report ->> 'status' = 'Incomplete' AND (report ->> 'hops')::int = 4"
    )
    (report,) = until(lambda: world.sql(query), what="the report")[0]
    assert sorted(report) == ["at", "cost", "duration_ms", "hops", "network", "status"]
    event = {
        "date": "2026-11-22 09:00:00",
        "sessionId": "ATUid_nobodys",
        "serviceCode": SENEGAL,
        "networkCode": "99999",
        "phoneNumber": phone.number,
        "status": "Success",
        "cost": "KES 0.10",
        "durationInMillis": "9",
        "hopsCount": "1",
        "input": f"1*{CANARY * 3}",
        "lastAppResponse": f"END {CANARY * 3}",
        "errorMessage": CANARY * 3,
        "hopsMetadata": CANARY * 3,
    }
    assert world.http.post(f"{world.webhook}/events", data=event).status_code == 200
    tables = world.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        holding = world.sql(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE %s", f"%{CANARY * 3}%")
        assert holding == [(0,)], table


def test_unrequested_money_goes_to_the_registered_phone_or_waits_in_suspense(world: StoryWorld):
    phone, stranger = world.phone(SENEGAL), world.phone(SENEGAL)
    phone.join()
    account = world.endpoints["momo"]["wave"]["SN-DIENDER"]["account"]
    sent = {"to": account, "amount": 12000}
    transaction = world.sandbox("POST", "/operators/wave/pay", **{"from": phone.number}, **sent)[
        "transaction"
    ]
    sms = phone.wait_sms(transaction)
    assert "12 000 FCFA payés" in sms
    assert "Crédit 500 FCFA" in sms  # 11 500 were owed
    assert "Payé. Délai en cours" in phone.go("1")
    unknown = world.sandbox("POST", "/operators/wave/pay", **{"from": stranger.number}, **sent)["transaction"]
    query = (
        "SELECT a.kind, a.amount FROM allocations a JOIN receipts r ON r.id = a.receipt_id"
        " WHERE r.transaction = %s"
    )
    assert until(lambda: world.sql(query, unknown), what="its receipt") == [("suspense", 12000)]
    assert stranger.sms == []
    assert "pas encore membre" in stranger.go("1")
    flagged = (
        "SELECT f.reason FROM flags f JOIN receipts r ON f.subject = 'receipt:' || r.id"
        " WHERE r.transaction = %s"
    )
    assert world.sql(flagged, unknown) == [("payer's phone is not registered",)]


def test_a_reversed_payment_is_notified_and_closes_the_cover(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    transaction = phone.pay().split("réf ")[1].split(",")[0]
    assert "Payé. Délai en cours" in phone.go("1")
    world.sandbox("POST", "/operators/wave/reverse", transaction=transaction)
    sms = phone.wait_sms("a repris")
    assert f"11 500 FCFA, réf {transaction}" in sms
    assert "Reste 11 500 FCFA" in sms
    screen = phone.go("1")
    assert "Reste 11 500 FCFA" in screen
    assert "Payé." not in screen


def test_stop_ends_reminders_but_not_the_link_and_the_receipt(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    phone.wait_sms("Numéro de membre")
    world.sandbox("POST", f"/phones/{phone.number}/sms", to="21555", text=" stop. ")
    phone.wait_sms("plus de rappels")
    assert "Rappels SMS: non" in phone.go("4", "4")
    assert "Reste 0 FCFA" in phone.pay()
