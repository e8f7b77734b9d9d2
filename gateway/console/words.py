"""French words for the codes of the domain. A code without words is shown as a code, never in English."""

from gateway.console import words_claims, words_households

Pair = tuple[str, str]  # French, English

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

RIGHTS: dict[str, Pair] = {
    "open": ("droits ouverts", "open"),
    "waiting": ("droits à venir", "waiting"),
    "part-paid": ("payé en partie", "partly paid"),
    "lapsed": ("droits échus", "lapsed"),
    "suspended": ("droits suspendus", "suspended"),
    "never": ("droits pas encore ouverts", "never open yet"),
}

# Notices by the `dit` of an address: what the form before this page did.
NOTICES = {
    "parrain": "Le parrain est noté. Il n'aide encore personne.",
    "aide": "Le ménage est aidé dès aujourd'hui. S'il y avait quelque chose à payer, un SMS le lui dit.",
    "rapproche": "C'est rapproché. Le ménage reçoit son reçu par SMS.",
    "annule": "Le rapprochement est annulé par écritures inverses ; le ménage est prévenu par SMS.",
    "demande": "Le remboursement est demandé. Une autre personne doit l'approuver.",
    "approuve": "Le remboursement est approuvé. Faites maintenant le paiement chez l'opérateur.",
    "refuse": "La demande de remboursement est close. Rien n'a bougé.",
    "paye": "Le paiement est noté. Il reste « pas vu » tant que la liste de l'opérateur ne le montre pas.",
    "corrige-paiement": "Le numéro du paiement est corrigé.",
    "vu": "C'est noté : vous l'avez vu.",
    **words_households.NOTICES,
    **words_claims.NOTICES,
}

FLAGS = {
    "adjustment": (
        "La cotisation d'un ménage a changé et une partie n'a pas suivi. Regardez ses cotisations et ses "
        "paiements."
    ),
    "renewal": (
        "La cotisation suivante d'un ménage n'a pas pu être écrite : les règles la refusent. Regardez ce "
        "ménage."
    ),
    "rule": (
        "Les nouvelles règles n'ont pas pu être appliquées à un ménage. Regardez sa cotisation, puis "
        "demandez à qui tient le logiciel de relancer « mutuelle schemes apply »."
    ),
    **words_households.FLAGS,
    "contradiction": (
        "L'opérateur dit le contraire de ce qu'il avait dit. L'argent prouvé est compté ; vérifiez ce "
        "paiement."
    ),
    "amount": "Le montant reçu n'est pas celui qui était demandé.",
    "conflict": "L'opérateur donne d'autres chiffres pour une transaction déjà comptée.",
    "fee": "L'opérateur a changé ses frais pour un paiement déjà compté. Les comptes suivent.",
    "outflow": (
        "De l'argent a quitté un compte, ou y est revenu, et rien ne l'explique. Regardez « Argent sorti »."
    ),
    "refund": (
        "Un remboursement décidé et ce que l'opérateur a fait ne vont pas ensemble. Regardez ce paiement "
        "avant de payer quoi que ce soit."
    ),
    "attribution": "L'opérateur lie cet argent à un autre ménage que celui où il est compté.",
    "no-answer": "L'opérateur ne dit pas ce que ce paiement est devenu. Regardez chez lui.",
    "late": "L'argent est arrivé après que la demande avait été abandonnée. Il est compté.",
    "currency": (
        "L'argent reçu est dans une autre monnaie que celle du compte. Il attend ; personne n'est crédité."
    ),
    "reminders": (
        "Tous les rappels du jour ne sont pas partis : la journée était trop courte pour leur nombre."
    ),
    "list": "La liste des transactions de l'opérateur ne vient plus. Regardez chez lui ce qui est arrivé.",
    "reversal": "L'opérateur reprend un paiement que nous n'avons pas encore. Nous attendons le paiement.",
    "double": "Le payeur a payé deux fois la même demande. Le surplus est en avance, ou à rembourser.",
    "set-aside": (
        "Notre logiciel échoue sur ce ménage, ou sur toute la mutuelle : il est mis de côté, les autres "
        "continuent. Rappels, cotisations, SMS ou argent peuvent lui manquer. Prévenez la personne qui tient "
        "le logiciel ; à chaque passage il est essayé de nouveau."
    ),
    "stuck": "Un travail échoue sans cesse. Prévenez la personne qui tient le logiciel.",
    "sms": "Un SMS n'est pas parti, ou peut-être deux fois. Appelez le ménage si c'est un reçu.",
    "unreadable": "Un message d'un opérateur est illisible. Prévenez la personne qui tient le logiciel.",
}


def flag(kind: str) -> str:
    """Returns the French sentence of a case for staff."""
    return FLAGS.get(
        kind,
        f"Une chose inconnue demande à être vue (code {kind}). Prévenez la personne qui tient le logiciel.",
    )


WORDS: dict[str, dict[str, str]] = {
    **words_households.WORDS,
    # signs that a receipt belongs to a household
    "sign": {
        "number": "Le numéro de membre écrit par le payeur est le sien.",
        "phone": "Le téléphone du payeur est aujourd'hui enregistré pour ce ménage.",
        "paid-before": "Un paiement de ce téléphone a déjà été compté pour ce ménage.",
        "number-near": "Le numéro écrit par le payeur ressemble au sien, à une faute près.",
        "asked-phone": "Ce téléphone a déjà reçu une demande de paiement pour ce ménage.",
        "former-phone": "Le téléphone du payeur a été celui de ce ménage.",
        "request": "Ce ménage a demandé à payer ce montant, ces jours-là, sans que ce soit confirmé.",
        "owed": "C'est exactement tout ce qu'il doit.",
        "bill": "C'est exactement le reste d'une de ses cotisations.",
        "opens": "C'est exactement ce qui ouvre ses droits.",
    },
    # reasons of an allocation, by the text that `mutuelle` stores
    "placed": {
        "answer to our request": "Réponse de l'opérateur à notre demande",
        "payer's phone is registered to this household only": (
            "Le téléphone du payeur n'est enregistré que pour ce ménage"
        ),
        "payer's phone is masked and there is no reference of ours": (
            "Le téléphone du payeur est masqué et rien ne nous nomme"
        ),
        "payer's phone is registered to several households": (
            "Le téléphone du payeur est enregistré pour plusieurs ménages"
        ),
        "our books do not know the reference of ours that it answers": (
            "L'argent répond à une référence à nous que nos livres ne connaissent pas"
        ),
        "the books of the household that it belongs to cannot be read": (
            "Les cotisations du ménage à qui il appartient ne peuvent pas être lues"
        ),
        "it came in another currency than the account's": (
            "L'argent est dans une autre monnaie que celle du compte"
        ),
        "payer's phone is not registered": "Le téléphone du payeur n'est enregistré pour aucun ménage",
        "by hand": "Rapproché à la main",
        "undone by hand": "Rapprochement annulé à la main",
        "what the operator took back was the payout of a refund": (
            "Ce que l'opérateur a repris était le paiement d'un remboursement"
        ),
        "refunded": "Remboursement approuvé",
        "the operator took it back": "Repris par l'opérateur",
        "credit pays a bill": "L'avance paie une cotisation",
        "a change of the same day was taken back": "Le changement du même jour a été repris",
        "the bill became smaller": "La cotisation a baissé : le trop-payé devient une avance",
    },
    "refund": {
        "not-ours": "ce n'est pas à nous",
        "twice": "payé deux fois",
        "too-much": "payé en trop",
        "asked": "le ménage le demande",
        "other": "autre raison",
    },
    "refund-status": {
        "asked": "à approuver",
        "approved": "approuvé, à payer",
        "paid": "payé",
        "refused": "demande close",
        "ended": "clos : repris par l'opérateur",
    },
    "door": {
        "callback": "par une notification de l'opérateur",
        "poll": "en interrogeant l'opérateur",
        "list": "dans la liste des transactions de l'opérateur",
        "statement": "dans le relevé de l'opérateur",
    },
    "task": {"collect": "Demande envoyée à l'opérateur", "poll": "Opérateur interrogé"},
    "sms": {
        "welcome": "Bienvenue",
        "link": "Lien pour payer",
        "receipt": "Reçu",
        "failed": "Paiement échoué",
        "expired": "Paiement expiré",
        "reversed": "Paiement repris",
        "refunded": "Remboursement",
        "corrected": "Correction",
        **words_households.SMS,
        "sponsored": "Prise en charge",
        "adjusted-more": "Cotisation augmentée",
        "adjusted-less": "Cotisation baissée",
    },
    "sms-status": {
        "queued": "va partir",
        "sending": "part en ce moment",
        "accepted": "remis au réseau, arrivée pas encore connue",
        "delivered": "arrivé",
        "failed": "pas arrivé",
        "ambiguous": "peut-être parti",
        "stopped": "pas envoyé : le ménage ne veut plus de SMS",
    },
    "bill": {"dues": "cotisation", "joining": "adhésion"},
    "member": {"head": "chef de ménage", "dependant": "à charge"},
    "act": {
        "attributed": "a rapproché ce paiement à la main",
        "undone": "a annulé le rapprochement",
        "refund-asked": "a demandé un remboursement",
        "refund-approved": "a approuvé le remboursement",
        "refund-refused": "a clos la demande de remboursement",
        "refund-paid": "a noté le paiement du remboursement",
        "refund-corrected": "a corrigé le numéro du paiement du remboursement",
        "flag-seen": "a vu ce qui était signalé",
    },
    **words_claims.WORDS,
    "entry": {
        "receipt": "réception",
        "fee": "frais",
        "attribution": "rapprochement",
        "allocation": "mise sur les cotisations",
        "credit": "usage de l'avance",
        "undo": "annulation",
        "refund": "remboursement approuvé",
        "refund-kept": "remboursement approuvé, pas encore payé",
        "refund-paid": "remboursement payé",
        "refund-seen": "remboursement vu chez l'opérateur",
        "reversal": "reprise par l'opérateur",
        "excess": "reprise au-delà de ce qui restait",
    },
    "sponsor": {"commune": "Commune", "ngo": "Association", "relative": "Parent ou ami", "other": "Autre"},
    "why": {
        "sponsor.known": "Un parrain a déjà ce code. Prenez-en un autre.",
        "sponsor.code": "Le code prend des lettres sans accent, des chiffres et des tirets, deux au moins.",
        "sponsor.name": "Le nom prend de 2 à 24 lettres, et le genre un de la liste.",
        "sponsor.amounts": "La part va de 1 à 100 %, et le plafond est un nombre entier.",
        "sponsor.other": "Un autre parrain aide déjà ce ménage. Il faut d'abord y mettre fin.",
        "sponsor.over": "Le temps de ce parrain est fini.",
        "sponsor.already": "Ce parrain aide déjà ce ménage.",
        "match.already": "Ce paiement a changé depuis que vous avez ouvert la page.",
        "match.changed": "Ce paiement a changé depuis. Regardez-le de nouveau avant de décider.",
        "match.currency": (
            "Cet argent est dans une autre monnaie que celle du compte : on ne peut que le rembourser."
        ),
        "match.ours": "L'opérateur lie cet argent à une demande de ce ménage : on ne peut que le rembourser.",
        "number.wrong": "Ce n'est pas un numéro de membre : dix chiffres, comme sur la carte. Vérifiez-les.",
        "number.none": "Aucun ménage de votre mutuelle n'a ce numéro.",
        "refund.asked": (
            "Un remboursement est demandé pour ce paiement. Il faut d'abord l'approuver ou le clore."
        ),
        "refund.amount": "Ce montant n'est pas possible pour ce paiement.",
        "refund.four-eyes": "Vous l'avez demandé : une autre personne doit l'approuver.",
        "refund.decided": "Quelqu'un en a déjà décidé.",
        "refund.not-approved": "Ce remboursement n'attend pas de paiement.",
        "refund.ended": (
            "L'opérateur a déjà rendu cet argent : ce remboursement est clos. Ne le payez pas. Rien n'a été "
            "noté. Si vous l'avez déjà payé, prévenez l'opérateur."
        ),
        "refund.received": (
            "C'est le numéro d'un paiement reçu. Écrivez celui du paiement que vous avez fait. Si "
            "l'opérateur n'en donne pas d'autre, attendez : sa liste le montrera."
        ),
        "refund.used": (
            "Cette transaction est déjà comptée pour autre chose : une transaction ne paie qu'un "
            "remboursement. Vérifiez le numéro chez l'opérateur."
        ),
        "refund.seen": "Ce paiement est déjà vu chez l'opérateur, ou n'a pas été noté : rien à corriger.",
        **words_claims.REFUSALS,
        "refund.transaction": "Écrivez le numéro de transaction que l'opérateur a donné.",
        **words_households.REFUSALS,
    },
}


def word(code: str, group: str) -> str:
    """Returns the French words for a code of the domain."""
    return WORDS[group].get(code, f"code {code}")


ADDRESSES = {
    "outside": "extérieur",
    "household": "ménage",
    "suspense": "à rapprocher",
    "fund": "fonds de la mutuelle",
    "fees": "frais de l'opérateur",
    "refunds": "remboursements à payer",
    "outflow": "argent sorti sans explication",
    "receivable": "dû par un payeur de subventions",
    "bank": "banque de la mutuelle",
}


def address(address: str) -> str:
    """Returns the French name of a ledger account, without its id."""
    return ADDRESSES.get(address.partition(":")[0], f"code {address.partition(':')[0]}")
