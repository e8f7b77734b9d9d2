"""The first screen: four things, under the same digits for everyone, enrolled or not."""

from menus import cover, enrol, pay
from menus.screens import Dialogue, Menu, Option, value
from mutuelle.messaging import gsm7

MUTUELLE_MAX = 40

HOME = Dialogue(
    screens=(
        Menu(
            "home",
            prompt="home",
            options=(
                Option("home.cover", cover.ENTRY),
                Option("home.pay", pay.ENTRY),
                Option("home.join", enrol.ENTRY),
                Option("home.more", "more"),
            ),
        ),
    ),
    values={
        "mutuelle": value(lambda view: gsm7.fold(view.facts.mutuelle, unknown="?")[:MUTUELLE_MAX], "M" * MUTUELLE_MAX),
    },
)
