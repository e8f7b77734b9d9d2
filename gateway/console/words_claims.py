"""French words for the codes of subsidy claims."""

from gateway import claim_documents

NOTICES = {
    "subvention-preparee": "La demande est préparée. Une autre personne doit la vérifier.",
    "subvention-verifiee": "La demande est vérifiée. Elle peut partir.",
    "subvention-envoyee": "C'est noté : le payeur doit maintenant cette somme.",
    "subvention-annulee": "La demande est annulée. Ses lignes pourront être demandées par une autre.",
    "subvention-reponses": "Les réponses du payeur sont notées.",
    "subvention-payee": "Le paiement est noté.",
}

WORDS: dict[str, dict[str, str]] = {
    "payer": claim_documents.PAYERS,
    "claim-state": claim_documents.STATES,
    "claim-answer": {"accepted": "acceptée", "rejected": "rejetée"},
    "left-out": {
        "not-open": "droits pas encore ouverts",
        "not-covered": "jours sans couverture ou à venir",
        "taken-back": "droits perdus : l'argent a été repris",
        "nobody": "personne sur la facture",
        "provisional": "un nom manque dans le ménage",
        "no-consent": "accord d'adhésion manquant",
        "evidence-missing": "preuve de la catégorie pas vérifiée",
        "evidence-expired": "preuve de la catégorie périmée",
        "claimed": "déjà demandé",
        "rejected": "rejeté par le payeur",
        "changed": "membres changés depuis : à regarder",
        "waiting": "facture réduite : réponse du payeur attendue",
        "duplicate": "doublon : la personne est demandée, ou à décider, dans un autre ménage",
        "unreadable": "cotisations illisibles : voyez qui tient le logiciel",
        "nothing-back": "rien à reprendre : ce n'était pas demandé",
    },
}

# reasons why a step of a claim is refused
REFUSALS = {
    "claim.payer": "Choisissez un payeur.",
    "claim.sponsor": "Choisissez un parrain de cette mutuelle.",
    "claim.period": "La période finit avant de commencer.",
    "claim.not-over": "Le dernier jour de la période n'est pas encore passé : choisissez hier au plus tard.",
    "claim.nothing": "Il n'y a rien à demander à ce payeur.",
    "claim.four-eyes": "Vous l'avez préparée : une autre personne doit la vérifier.",
    "claim.stale": "Les livres ont changé depuis : annulez cette demande et préparez-en une autre.",
    "claim.moved": "Quelqu'un a déjà changé l'état de cette demande.",
    "claim.not-sent": "Cette demande n'attend pas de réponse du payeur.",
    "claim.no-line": "Cette demande n'a pas cette ligne.",
    "claim.answered": "Une autre réponse est déjà notée pour une de ces lignes.",
    "claim.reason": "Un rejet demande une raison de trois lettres au moins, sans numéro de téléphone.",
    "claim.amount": (
        "Ce montant n'est pas possible : il dépasse ce qui reste, ou ce n'est pas un nombre entier."
    ),
    "claim.reference": "Écrivez la référence de la banque, de 3 signes au moins.",
    "claim.reference-known": (
        "Cette référence de la banque est déjà notée : le même virement ne compte qu'une fois. S'il paie "
        "plusieurs demandes, ajoutez à chacune sa part : VIR 12 (1), VIR 12 (2)."
    ),
}
