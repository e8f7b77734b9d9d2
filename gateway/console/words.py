"""French words for the codes of the domain. What has none is shown as a code with a request to tell us: never in English."""

OPERATORS = {"wave": "Wave", "mtn": "MTN MoMo"}

PARTS = {
    "bill": "Rapproché",
    "credit": "Avance",
    "suspense": "À rapprocher",
    "refunded": "Remboursé",
    "reversed": "Repris par l'opérateur",
}

STATUSES = {
    "requested": "demandé",
    "unknown": "réponse inconnue, nous vérifions",
    "pending": "en attente du payeur",
    "confirmed": "confirmé",
    "failed": "échoué",
    "expired": "expiré",
    "reversed": "repris par l'opérateur",
}

RIGHTS = {
    "open": "droits ouverts",
    "waiting": "droits à venir",
    "part-paid": "payé en partie",
    "lapsed": "droits échus",
    "suspended": "droits suspendus",
    "never": "droits pas encore ouverts",
}

# What happened, told on the page one comes to after an act.
TOLD = {
    "rapproche": "C'est rapproché. Le ménage reçoit son reçu par SMS.",
    "annule": "Le rapprochement est annulé par écritures inverses ; le ménage est prévenu par SMS.",
    "demande": "Le remboursement est demandé. Une autre personne doit l'approuver.",
    "approuve": "Le remboursement est approuvé. Faites maintenant le paiement chez l'opérateur.",
    "refuse": "La demande de remboursement est close. Rien n'a bougé.",
    "paye": "Le paiement du remboursement est noté.",
    "vu": "C'est noté : vous l'avez vu.",
}

FLAGS = {
    "contradiction": "L'opérateur dit le contraire de ce qu'il avait dit. L'argent prouvé est compté ; vérifiez ce paiement.",
    "amount": "Le montant reçu n'est pas celui qui était demandé.",
    "conflict": "L'opérateur donne d'autres chiffres pour une transaction déjà comptée.",
    "attribution": "L'opérateur lie cet argent à un autre ménage que celui où il est compté.",
    "no-answer": "L'opérateur ne dit pas ce que ce paiement est devenu. Regardez chez lui.",
    "late": "L'argent est arrivé après que la demande avait été abandonnée. Il est compté.",
    "double": "Le payeur a payé deux fois la même demande. Le surplus est en avance, ou à rembourser.",
    "stuck": "Un travail échoue sans cesse. Prévenez la personne qui tient le logiciel.",
    "sms": "Un SMS n'est pas parti, ou peut-être deux fois. Appelez le ménage si c'est un reçu.",
    "unreadable": "Un message d'un opérateur est illisible. Prévenez la personne qui tient le logiciel.",
}


def flag(kind: str) -> str:
    """Why a person must look."""
    return FLAGS.get(kind, f"Une chose inconnue demande à être vue (code {kind}). Prévenez la personne qui tient le logiciel.")
