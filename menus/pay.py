"""Pay: the household and its amounts first, then all or a part, the wallet, yes; the payer agrees outside
this session."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from menus import parse, promise, values, wallets
from menus.facts import HouseholdFacts, Pending
from menus.screens import (
    Ask,
    Confirm,
    Dialogue,
    EffectRequest,
    End,
    Goto,
    Menu,
    MenuOption,
    ScreenView,
    TextChoice,
    value,
)
from mutuelle.money import EXPONENT
from mutuelle.payments import payments

WALLETS_MAX = 5


def home_of(view: ScreenView) -> HouseholdFacts:
    """The household of a screen that only the enrolled can reach."""
    if view.facts.household is None:
        raise LookupError("no household in the opening facts")
    return view.facts.household


def entry(view: ScreenView) -> str:
    """Where paying begins: a payment already under way is shown, never doubled."""
    home = view.facts.household
    if home is None:
        return "pay.none"
    if home.pending:
        return "pay.pending"
    if home.owed <= 0:
        return "pay.paid"
    return "pay.due" if view.facts.operators else "pay.closed"


ENTRY = Goto(("pay.none", "pay.pending", "pay.paid", "pay.closed", "pay.due"), entry)


def amount(typed: str, view: ScreenView) -> int:
    scale = 10 ** EXPONENT[view.facts.currency]
    return parse.amount(typed, values.rules(view).step, home_of(view).owed, view.money, scale)


def paying(view: ScreenView) -> int:
    return int(view.answers["amount"])


def _pending(view: ScreenView) -> Pending:
    pending = home_of(view).pending
    if pending is None:
        raise LookupError("no payment is pending in the opening facts")
    return pending


def how_it_ends(view: ScreenView) -> str:
    """What the payer of the payment under way can still do, and until when."""
    pending = _pending(view)
    if pending.ends is None:
        return "pay.pending.checked"
    return "pay.pending.link" if wallets.approval(pending.operator) == "link" else "pay.pending.push"


def has_link(view: ScreenView) -> bool:
    pending = _pending(view)
    return pending.link and pending.ends is not None


def resend(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """Send the link of the payment under way again; no second payment is made."""
    if asked.household_id is None:
        raise LookupError("nobody pays before joining")
    payments.resend_link(session, UUID(asked.tenant_id), UUID(asked.household_id), language=asked.language)
    return {}


def opens(view: ScreenView) -> str:
    """What the amount chosen brings."""
    home = home_of(view)
    if not home.left_to_open or not home.opens_from:
        return "pay.kept" if paying(view) < home.owed else ""
    if paying(view) < home.left_to_open:
        return "pay.not-yet"
    return (
        "pay.opens"
        if home.left_to_open in (paying(view), home.owed, home.owed_dues)
        else "pay.opens-at-least"
    )


def request(session: Session, asked: EffectRequest) -> dict[str, Any]:
    """Ask for the money under this Confirm's own key; its reference comes back."""
    if asked.household_id is None:
        raise LookupError("nobody pays before joining")
    payment = payments.request(
        session,
        UUID(asked.tenant_id),
        UUID(asked.household_id),
        amount=int(asked.answers["amount"]),
        operator=wallets.among(asked.facts.operators, asked.answers),
        payer=asked.phone,
        effect_key=asked.effect_key,
    )
    return {"ref": str(payment.ref)}


def _wallet_of(view: ScreenView) -> str:
    return wallets.among(view.facts.operators, view.answers)


def _wallet(index: int) -> MenuOption:
    def there(view: ScreenView) -> bool:
        return index < len(view.facts.operators)

    def store(view: ScreenView) -> dict[str, Any]:
        return {"operator": view.facts.operators[index]}

    label = value(lambda view: wallets.name(view.facts.operators[index]), wallets.LONGEST)
    return MenuOption(label, "pay.confirm", show=there, store=store)


NEXT = Goto(
    ("pay.wallet", "pay.confirm"),
    lambda view: "pay.wallet" if len(view.facts.operators) > 1 else "pay.confirm",
)
STYLES = ("push", "link", "otp", "dial", "other")

PAY = Dialogue(
    screens=(
        Menu("pay.none", prompt="pay.none", options=(MenuOption("home.join", "join.consent"),)),
        Menu(
            "pay.pending",
            prompt=(
                "pay.pending",
                TextChoice(("pay.pending.link", "pay.pending.push", "pay.pending.checked"), how_it_ends),
            ),
            options=(MenuOption("pay.resend", "pay.resend", show=has_link),),
        ),
        Confirm("pay.resend", prompt="pay.resend.sure", do=resend, yes="pay.resent"),
        End("pay.resent", prompt="pay.resent"),
        End(
            "pay.paid",
            prompt=(
                "pay.paid",
                TextChoice(("pay.credit", ""), lambda view: "pay.credit" if home_of(view).credit else ""),
            ),
        ),
        End("pay.closed", prompt="pay.closed"),
        Menu(
            "pay.due",
            prompt="pay.due",
            options=(
                MenuOption("pay.all", NEXT, store=lambda view: {"amount": home_of(view).owed}),
                MenuOption("pay.part", "pay.amount"),
                MenuOption("pay.later", promise.ENTRY, show=promise.there_is),
            ),
        ),
        Ask(
            "pay.amount",
            prompt=(
                "pay.amount",
                TextChoice(("pay.hint", ""), lambda view: "pay.hint" if home_of(view).left_to_open else ""),
            ),
            parse=amount,
            store="amount",
            goto=NEXT,
            errors=("error.amount", "error.amount.low", "error.amount.high", "error.amount.step"),
        ),
        Menu(
            "pay.wallet", prompt="pay.wallet", options=tuple(_wallet(index) for index in range(WALLETS_MAX))
        ),
        Confirm(
            "pay.confirm",
            prompt=(
                "pay.confirm",
                TextChoice(("pay.opens", "pay.opens-at-least", "pay.not-yet", "pay.kept", ""), opens),
            ),
            do=request,
            yes="pay.sent",
        ),
        End(
            "pay.sent",
            prompt=TextChoice(
                tuple(f"pay.sent.{style}" for style in STYLES),
                lambda view: f"pay.sent.{wallets.approval(_wallet_of(view))}",
            ),
        ),
    ),
    values={
        "number": value(lambda view: home_of(view).number, values.NUMBER_MAX),
        "people": values.counted(lambda view: home_of(view).people),
        "owed": values.money(lambda view: home_of(view).owed),
        "others": values.money(lambda view: home_of(view).state_share),
        "paid": values.money(lambda view: home_of(view).paid),
        "credit": values.money(lambda view: home_of(view).credit),
        "to_open": values.money(lambda view: home_of(view).left_to_open),
        "opens_from": values.dated(lambda view: home_of(view).opens_from),
        "opens_until": values.dated(lambda view: home_of(view).opens_until),
        "step": values.money(lambda view: values.rules(view).step),
        "amount": values.money(paying),
        "rest_to_open": values.money(lambda view: home_of(view).left_to_open - paying(view)),
        "rest": values.money(lambda view: home_of(view).owed - paying(view)),
        "wallet": value(lambda view: wallets.name(_wallet_of(view)), wallets.LONGEST),
        "pending_amount": values.money(lambda view: _pending(view).amount),
        "pending_ends": value(lambda view: _pending(view).ends or "", "23:59"),
        "pending_wallet": value(lambda view: wallets.name(_pending(view).operator), wallets.LONGEST),
        "left": values.given(values.MONEY_MAX),
        "lowest": values.given(values.MONEY_MAX),
        "below": values.given(values.MONEY_MAX),
        "above": values.given(values.MONEY_MAX),
    },
    drafted=("pay.amount", "pay.wallet", "pay.confirm"),
)
