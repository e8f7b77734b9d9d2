"""All questions of `mutuelle verify`, in the order in which they are asked.

To add one, write it in the file of its subject, with a test that breaks exactly it and a line in
docs/verify.md.
"""

from mutuelle.verification import (
    bills,
    cases,
    categories,
    claims,
    duplicates,
    ledger,
    links,
    messages,
    money_seals,
    open_amounts,
    payments,
    people,
    phone_leaks,
    receipts,
    refunds,
    retention,
    rights,
    schema,
)
from mutuelle.verification.question import Question

QUESTIONS: tuple[Question, ...] = (
    *schema.QUESTIONS,
    *receipts.QUESTIONS,
    *refunds.QUESTIONS,
    *money_seals.QUESTIONS,
    *ledger.QUESTIONS,
    *payments.QUESTIONS,
    *messages.QUESTIONS,
    *rights.QUESTIONS,
    *bills.QUESTIONS,
    *open_amounts.QUESTIONS,
    *people.QUESTIONS,
    *categories.QUESTIONS,
    *claims.QUESTIONS,
    *duplicates.QUESTIONS,
    *cases.QUESTIONS,
    *retention.QUESTIONS,
    *links.QUESTIONS,
    *phone_leaks.QUESTIONS,
)


def of_line(line: str) -> Question | None:
    """Returns the question that a line of a report answers. None for money that was compared with others'."""
    name = line.partition(" ")[2].partition(":")[0]
    return next((question for question in QUESTIONS if question.name == name), None)
