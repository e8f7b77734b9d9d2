"""Join, pay, be covered: in Senegal, Rwanda and Mali, from the first dial to the receipt on the phone."""

import pytest

from tests.end_to_end.stories.world import MALI, RWANDA, SENEGAL, StoryWorld

# code, price screen, welcome, what a payment of all opens, cover after it, a day of cover
PLACES = [
    pytest.param(
        SENEGAL,
        ("Votre part: 10 500 FCFA", "Part État: 10 500 FCFA", "Adhésion: 1 000 FCFA"),
        "Payez 10 500 FCFA: couvert du 22/12/2026 au 21/12/2027",
        "11 500 FCFA",
        "Droits ouverts dès le 22/12/2026",
        "Payé. Délai en cours: couvert du 22/12/2026 au 21/12/2027",
        ("2026-12-22", "2027-12-21"),
        id="Senegal",
    ),
    pytest.param(
        RWANDA,
        ("Votre part: 15 000 RWF", "Part État: 0 RWF"),
        "Payez 12 000 RWF: couvert du 22/11/2026 au 31/12/2026",
        "15 000 RWF",
        "Droits ouverts jusqu'au 30/06/2027",
        "Couvert du 22/11/2026 au 30/06/2027",
        ("2026-11-22", "2027-06-30"),
        id="Rwanda",
    ),
    pytest.param(
        MALI,
        ("Votre part: 9 900 FCFA", "Part État: 9 900 FCFA", "Adhésion: 2 500 FCFA"),
        "Payez 825 FCFA: couvert du 20/02/2027 au 19/03/2027",
        "12 400 FCFA",
        "Droits ouverts dès le 20/02/2027",
        "Payé. Délai en cours: couvert du 20/02/2027 au 19/02/2028",
        ("2027-02-20", "2028-02-19"),
        id="Mali",
    ),
]


@pytest.mark.parametrize(("code", "price", "threshold", "all_of_it", "receipt", "cover", "open_days"), PLACES)
def test_a_family_joins_pays_and_is_covered(
    world: StoryWorld, code, price, threshold, all_of_it, receipt, cover, open_days
):
    phone = world.phone(code)
    offer = phone.go("3", "1", "3" if code == RWANDA else "1", "2", "1", "808512")
    assert [line for line in price if line not in offer] == []
    welcome = phone.type("1")
    assert not welcome.open
    assert threshold in welcome
    number = welcome.text.split("membre: ")[1][:10]
    assert world.number_of(phone) == number
    due = phone.go("2")
    assert f"{number}, 3 pers." in due
    assert f"Reste à payer: {all_of_it}" in due
    assert f"Payer {all_of_it}" in phone.type("1")
    assert not phone.type("1").open
    prompt = phone.answer("approve")
    assert prompt["kind"] == ("push" if code == RWANDA else "link")
    assert f"{prompt['amount']:,} ".replace(",", " ") in f"{all_of_it} "
    sms = phone.wait_sms("réf")
    assert f"{all_of_it} payés" in sms
    assert f"membre {number}. Reste 0 " in sms
    assert receipt in sms
    screen = phone.go("1")
    assert cover in screen
    assert f"Rien à payer. Numéro de membre: {number}" in screen
    for day in open_days:
        assert world.mutuelle("rights", number, "--on", day)[1]["state"] == "open"
    assert world.mutuelle("members", "show", number)[1]["owed"] == 0


def test_in_rwanda_three_quarters_open_half_a_year_and_the_rest_the_year(world: StoryWorld):
    phone = world.phone(RWANDA)
    welcome = phone.join(category="3", adults="3", children="2", born="8085901215")
    # 75 % of 25 000, rounded up to the step.
    assert "Payez 19 000 RWF: couvert du 22/11/2026 au 31/12/2026" in welcome
    phone.go("2", "2")
    assert "Pas accepté: tapez 18 000 RWF ou 19 000 RWF" in phone.type("18500")
    assert "Il manquera 1 000 RWF" in phone.type("18000")
    phone.hang_up()
    assert "Payez encore 1 000 RWF pour ouvrir vos droits" in phone.pay("18000")
    assert "Pas couvert: payé 18 000 RWF, pas assez" in phone.go("1")
    assert "Droits ouverts jusqu'au 31/12/2026" in phone.pay("1000")
    screen = phone.go("1")
    assert "Couvert du 22/11/2026 au 31/12/2026" in screen
    assert "Reste 6 000 RWF: ouvre du 01/01/2027 au 30/06/2027" in screen
    assert "Droits ouverts jusqu'au 30/06/2027" in phone.pay()
    assert "Couvert du 22/11/2026 au 30/06/2027" in phone.go("1")


def test_in_mali_each_month_paid_is_a_month_of_cover(world: StoryWorld):
    phone = world.phone(MALI)
    phone.join(adults="1", children="0", born="79")
    assert "Droits ouverts dès le 20/02/2027" in phone.pay("550")
    number = world.number_of(phone)
    states = {
        day: world.mutuelle("rights", number, "--on", day)[1]["state"]
        for day in ("2027-02-20", "2027-04-19", "2027-04-20")
    }
    assert (states["2027-02-20"], states["2027-04-19"]) == ("open", "open")
    assert states["2027-04-20"] != "open"


def test_in_senegal_a_part_opens_nothing_and_is_kept(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    assert "Payez encore 7 500 FCFA pour ouvrir vos droits" in phone.pay("3000")
    assert "Pas couvert: payé 3 000 FCFA, pas assez" in phone.go("1")
    assert "Droits ouverts dès le 22/12/2026" in phone.pay("7500")  # the joining fee holds no right back
    assert "Reste à payer: 1 000 FCFA" in phone.go("2")


def test_a_claimed_category_is_billed_as_the_ordinary_one_until_it_is_checked(world: StoryWorld):
    phone = world.phone(SENEGAL)
    claim = phone.go("3", "1", "2", "1", "0", "85")
    assert "Indigent (RNU): à vérifier par la mutuelle" in claim
    assert "Prix en attendant: Cas ordinaire" in claim
    assert "Votre part: 3 500 FCFA" in phone.type("1")
    phone.type("1")
    household = world.mutuelle("members", "show", world.number_of(phone))[1]
    assert household["category"] == {"claimed": "indigent", "standing": "claimed", "billed": "general"}
    assert household["owed"] == 4500


def test_a_language_chosen_lasts_on_screens_and_in_sms(world: StoryWorld):
    phone = world.phone(SENEGAL)
    phone.join()
    phone.wait_sms("Numéro de membre")
    phone.go("4", "1", "2", "1")
    assert "My cover" in phone.dial()
    phone.type("2", "1", "1")
    phone.answer()
    assert "11 500 FCFA" in phone.wait_sms("paid")
    stranger = world.phone(SENEGAL)
    assert "My cover" in stranger.go("4", "1", "2")
    assert "Ma couverture" in stranger.dial()  # no language is stored for a phone that is no member


def test_a_phone_that_joined_cannot_join_again_and_sees_only_its_own_household(world: StoryWorld):
    phone, other = world.phone(SENEGAL), world.phone(SENEGAL)
    phone.join()
    number = world.number_of(phone)
    assert f"Déjà membre. Numéro: {number}" in phone.go("3")
    assert "pas encore membre" in other.go("1")
    assert "Adhérez d'abord" in other.go("2")
    elsewhere = type(phone)(world, phone.number, MALI)
    assert "pas encore membre" in elsewhere.go("1")  # the same phone in another mutuelle
    assert world.sql("SELECT count(*) FROM households WHERE number = %s", number) == [(1,)]
