"""The first screen: four options, under the same digits for every caller, enrolled or not."""

from menus import cover, enrol, pay
from menus.screens import Dialogue, Menu, MenuOption, value
from mutuelle.messaging import gsm7

MUTUELLE_MAX = 40

HOME = Dialogue(
    screens=(
        Menu(
            "home",
            prompt="home",
            options=(
                MenuOption("home.cover", cover.ENTRY),
                MenuOption("home.pay", pay.ENTRY),
                MenuOption("home.join", enrol.ENTRY),
                MenuOption("home.more", "more"),
            ),
        ),
    ),
    values={
        "mutuelle": value(
            lambda view: gsm7.fold(view.facts.mutuelle, unknown="?")[:MUTUELLE_MAX], "M" * MUTUELLE_MAX
        ),
    },
)
