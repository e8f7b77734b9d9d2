"""Pay: the household and its amounts, then all or a part, the wallet, yes.

The payer approves outside this session.
"""

from typing import Any

from sqlalchemy.orm import Session

from menus import parse, promise, values, wallets
from menus.facts import HouseholdFacts, PendingPayment
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


def household_of(view: ScreenView) -> HouseholdFacts:
    """Returns the household of a screen that only an enrolled caller can reach."""
    if view.facts.household is None:
        raise LookupError("no household in the opening facts")
    return view.facts.household


def entry(view: ScreenView) -> str:
    """Returns the first screen of paying: a payment already under way is shown, and no second one is made."""
    household = view.facts.household
    if household is None:
        return "pay.none"
    if household.pending:
        return "pay.pending"
    if household.owed <= 0:
        return "pay.paid"
    return "pay.due" if view.facts.operators else "pay.closed"


ENTRY = Goto(("pay.none", "pay.pending", "pay.paid", "pay.closed", "pay.due"), entry)


def amount(typed: str, view: ScreenView) -> int:
    scale = 10 ** EXPONENT[view.facts.currency]
    return parse.amount(typed, values.rules(view).step, household_of(view).owed, view.money, scale)


def amount_answer(view: ScreenView) -> int:
    return int(view.answers["amount"])


def _pending_payment(view: ScreenView) -> PendingPayment:
    pending = household_of(view).pending
    if pending is None:
        raise LookupError("no payment is pending in the opening facts")
    return pending


def pending_text(view: ScreenView) -> str:
    """Returns the text about what the payer of the payment under way can still do, and until when."""
    pending = _pending_payment(view)
    if pending.ends is None:
        return "pay.pending.checked"
    return "pay.pending.link" if wallets.approval(pending.operator) == "link" else "pay.pending.push"


def has_link(view: ScreenView) -> bool:
    pending = _pending_payment(view)
    return pending.link and pending.ends is not None


def resend_link(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Sends the link of the payment under way again; makes no second payment."""
    payments.resend_link(session, *request.household_key, language=request.language)
    return {}


def result_text(view: ScreenView) -> str:
    """Returns the text about what the chosen amount opens, or "" when there is nothing to say."""
    household = household_of(view)
    if not household.left_to_open or not household.opens_from:
        return "pay.kept" if amount_answer(view) < household.owed else ""
    if amount_answer(view) < household.left_to_open:
        return "pay.not-yet"
    return (
        "pay.opens"
        if household.left_to_open in (amount_answer(view), household.owed, household.owed_dues)
        else "pay.opens-at-least"
    )


def request_payment(session: Session, request: EffectRequest) -> dict[str, Any]:
    """Requests the payment under this Confirm's own key. Returns its reference."""
    payment = payments.request(
        session,
        *request.household_key,
        amount=int(request.answers["amount"]),
        operator=wallets.chosen_operator(request.facts.operators, request.answers),
        payer=request.phone,
        effect_key=request.effect_key,
    )
    return {"ref": str(payment.ref)}


def _wallet_of(view: ScreenView) -> str:
    return wallets.chosen_operator(view.facts.operators, view.answers)


def _wallet(index: int) -> MenuOption:
    def is_shown(view: ScreenView) -> bool:
        return index < len(view.facts.operators)

    def store(view: ScreenView) -> dict[str, Any]:
        return {"operator": view.facts.operators[index]}

    label = value(lambda view: wallets.name(view.facts.operators[index]), wallets.LONGEST)
    return MenuOption(label, "pay.confirm", show=is_shown, store=store)


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
                TextChoice(("pay.pending.link", "pay.pending.push", "pay.pending.checked"), pending_text),
            ),
            options=(MenuOption("pay.resend", "pay.resend", show=has_link),),
        ),
        Confirm("pay.resend", prompt="pay.resend.sure", do=resend_link, yes="pay.resent"),
        End("pay.resent", prompt="pay.resent"),
        End(
            "pay.paid",
            prompt=(
                "pay.paid",
                TextChoice(
                    ("pay.credit", ""), lambda view: "pay.credit" if household_of(view).credit else ""
                ),
            ),
        ),
        End("pay.closed", prompt="pay.closed"),
        Menu(
            "pay.due",
            prompt="pay.due",
            options=(
                MenuOption("pay.all", NEXT, store=lambda view: {"amount": household_of(view).owed}),
                MenuOption("pay.part", "pay.amount"),
                MenuOption("pay.later", promise.ENTRY, show=promise.is_possible),
            ),
        ),
        Ask(
            "pay.amount",
            prompt=(
                "pay.amount",
                TextChoice(
                    ("pay.hint", ""), lambda view: "pay.hint" if household_of(view).left_to_open else ""
                ),
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
                TextChoice(("pay.opens", "pay.opens-at-least", "pay.not-yet", "pay.kept", ""), result_text),
            ),
            do=request_payment,
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
        "number": value(lambda view: household_of(view).number, values.NUMBER_MAX),
        "people": values.count_value(lambda view: household_of(view).people),
        "owed": values.money_value(lambda view: household_of(view).owed),
        "others": values.money_value(lambda view: household_of(view).state_share),
        "paid": values.money_value(lambda view: household_of(view).paid),
        "credit": values.money_value(lambda view: household_of(view).credit),
        "to_open": values.money_value(lambda view: household_of(view).left_to_open),
        "opens_from": values.date_value(lambda view: household_of(view).opens_from),
        "opens_until": values.date_value(lambda view: household_of(view).opens_until),
        "step": values.money_value(lambda view: values.rules(view).step),
        "amount": values.money_value(amount_answer),
        "rest_to_open": values.money_value(
            lambda view: household_of(view).left_to_open - amount_answer(view)
        ),
        "rest": values.money_value(lambda view: household_of(view).owed - amount_answer(view)),
        "wallet": value(lambda view: wallets.name(_wallet_of(view)), wallets.LONGEST),
        "pending_amount": values.money_value(lambda view: _pending_payment(view).amount),
        "pending_ends": value(lambda view: _pending_payment(view).ends or "", "23:59"),
        "pending_wallet": value(lambda view: wallets.name(_pending_payment(view).operator), wallets.LONGEST),
        "left": values.refusal_value(values.MONEY_MAX),
        "lowest": values.refusal_value(values.MONEY_MAX),
        "below": values.refusal_value(values.MONEY_MAX),
        "above": values.refusal_value(values.MONEY_MAX),
    },
    draft_screens=("pay.amount", "pay.wallet", "pay.confirm"),
)
