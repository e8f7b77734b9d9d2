"""French words of the pages about households: what proves a category, who is in a household, appeals."""

NOTICES = {
    "inscrit": "Le ménage est inscrit. Son numéro de membre est ci-dessous et part par SMS.",
    "deja-inscrit": (
        "Ce ménage était déjà inscrit : rien n'a été fait de plus. Son numéro de membre est ci-dessous."
    ),
    "prouve": "C'est noté : la preuve est vérifiée. La cotisation et les droits suivent.",
    "ecarte": "C'est noté : cette ligne n'est pas à ce ménage.",
    "refuse-categorie": "C'est noté : la preuve est refusée. La cotisation suit.",
    "numero": "Le numéro est noté. S'il est sur une liste du registre, la catégorie est déjà vérifiée.",
    "nomme": "Le nom est noté.",
    "ajoute": "La personne est notée dans le ménage. La cotisation et les droits suivent.",
    "retire": "La personne ne fait plus partie du ménage à partir d'aujourd'hui. La cotisation suit.",
    "classe": "C'est noté. La cotisation et les droits suivent. Aucun SMS ne dit pourquoi.",
    "reclame": "La réclamation est notée. Le ménage reçoit son numéro et le délai par SMS.",
    "lien": "Le lien est noté. Il compte pour la prochaine cotisation.",
    "etudes": (
        "C'est noté. La cotisation et les droits suivent, là où le régime couvre les élèves plus longtemps."
    ),
    "corrige": (
        "C'est corrigé. La cotisation et les droits suivent ; si la part du ménage change, un SMS le lui dit."
    ),
    "recalcule": (
        "La cotisation est recalculée. Si la part du ménage change, c'est noté à part, et un SMS le lui dit."
    ),
    "doublon": "C'est noté. La prochaine demande de subvention suit cette décision.",
    "repondu": "La réponse part par SMS au ménage.",
}

FLAGS = {
    "proof": (
        "La preuve d'un ménage n'a pas pu être notée : les règles refusent sa cotisation. Ouvrez la page du "
        "ménage."
    ),
    "document-twice": (
        "Le numéro du document d'un ménage prouve aussi la catégorie d'un autre. Regardez les deux papiers."
    ),
    "duplicate": (
        "Une personne de ce ménage est sans doute inscrite aussi dans un autre. Ouvrez « Doublons » et "
        "décidez."
    ),
}

REFUSALS = {
    "household.unreadable": (
        "Les cotisations ou les paiements de ce ménage ne peuvent pas être lus : rien n'est perdu, rien n'a "
        "été changé. Prévenez la personne qui tient le logiciel."
    ),
    "enrol.phone": (
        "Téléphone : ce n'est pas un numéro. Écrivez-le en entier, avec l'indicatif du pays s'il est "
        "d'ailleurs."
    ),
    "enrol.already": (
        "Téléphone : un ménage de la mutuelle a déjà ce numéro. Ouvrez sa page pour noter une personne ou sa "
        "preuve ; si c'est un autre ménage, demandez-lui un autre téléphone."
    ),
    "enrol.language": "Langue des SMS : choisissez dans la liste.",
    "enrol.category": "Catégorie : choisissez celle du ménage.",
    "enrol.year": "Année de naissance : écrivez quatre chiffres, comme 1985.",
    "enrol.name": "Prénom et nom : écrivez-les en lettres, ou laissez vide.",
    "enrol.many": "Personnes : il y en a trop pour un ménage. Vérifiez les lignes.",
    "enrol.consent": (
        "Accord : lisez la phrase au chef de ménage et cochez s'il est d'accord. Sans accord, rien n'est "
        "gardé."
    ),
    "enrol.listed-otherwise": (
        "Numéro sur la preuve : la liste du registre donne une autre catégorie pour ce numéro. Choisissez "
        "celle-là, ou vérifiez le numéro."
    ),
    "evidence.taken": (
        "Numéro sur la preuve : ce numéro du registre prouve déjà la catégorie d'un autre ménage. Vérifiez "
        "le numéro ; s'il est juste, cherchez cet autre ménage."
    ),
    "enrol.head-age": (
        "Le chef de ménage est un adulte. Vérifiez son année de naissance, ou écrivez l'adulte d'abord."
    ),
    "enrol.other-form": (
        "Cette page a déjà inscrit un autre ménage. Rechargez la page et écrivez celui-ci de nouveau."
    ),
    "born.impossible": "Année de naissance : personne n'est né cette année-là. Vérifiez-la.",
    "option.unknown": "Période : choisissez dans la liste.",
    "category.changed": "Quelqu'un en a décidé depuis que vous avez ouvert la page. Regardez de nouveau.",
    "category.none": "Ce ménage n'a dit d'aucune catégorie qu'elle est la sienne.",
    "category.proven": "Une preuve de ce ménage est en vigueur. Refusez-la d'abord, ou vérifiez la nouvelle.",
    "category.no-price": "Le régime ne dit pas encore le prix de cette catégorie : demandez à la mutuelle.",
    "category.why": "Choisissez une raison dans la liste.",
    "category.unknown": "Choisissez une catégorie dans la liste.",
    "category.elsewhere": "Les personnes de cette catégorie sont couvertes ailleurs.",
    "category.prove-first": (
        "Catégorie : celle-ci doit être prouvée d'abord. Notez la preuve que vous avez vue."
    ),
    "evidence.kind": "Choisissez une preuve dans la liste.",
    "evidence.number": "Écrivez le numéro qui est sur la preuve : trois à quarante lettres et chiffres.",
    "evidence.since": "Une preuve ne peut commencer ni demain, ni avant ce que l'on sait déjà.",
    "evidence.over": "Cette preuve n'est plus valable : demandez-en une nouvelle.",
    "evidence.day": "La date de fin n'est pas une date.",
    "duplicate.verdict": "Choisissez dans la liste si c'est une personne ou deux.",
    "duplicate.why": "Choisissez dans la liste comment vous le savez.",
    "duplicate.drafting": (
        "Une demande de subvention est en préparation. Attendez une minute et notez la décision de nouveau."
    ),
    "proposal.decided": "Quelqu'un en a déjà décidé.",
    "proposal.changed": "Une liste plus récente dit autre chose de cette ligne : refusez celle-ci.",
    "member.name": "Ce n'est pas un nom : prénom et nom, en lettres.",
    "member.year": "Ce n'est pas une année de naissance : quatre chiffres.",
    "member.changed": "Ce ménage a changé depuis que vous avez ouvert la page. Regardez de nouveau.",
    "member.relationship": "Lien avec le chef de ménage : choisissez dans la liste.",
    "enrol.relationship": "Lien avec le chef de ménage : choisissez dans la liste.",
    "member.head-age": "Le chef de ménage est un adulte : regardez l'année de naissance.",
    "member.why": "Choisissez dans la liste pourquoi vous corrigez.",
    "member.head": "Le chef de ménage ne peut pas être retiré.",
    "class.unused": "Aucune règle du régime n'en tient compte : ce n'est pas à noter.",
    "class.evidence": "Choisissez dans la liste ce que vous avez vu.",
    "class.ended-today": "C'est noté jusqu'à ce soir. À partir de demain, vous pourrez le noter de nouveau.",
    "quote.nobody": "Il n'y aurait personne dans ce ménage.",
    "quote.too-many-people": "Le régime ne couvre pas un ménage aussi grand.",
    "appeal.open": "Ce ménage a déjà une réclamation en cours.",
    "appeal.no-phone": "Ce ménage n'a pas de téléphone : la réponse ne pourrait pas lui parvenir.",
    "appeal.kind": "Choisissez dans la liste de quoi le ménage se plaint.",
    "appeal.answered": "Quelqu'un a déjà répondu à cette réclamation.",
    "appeal.how": "Choisissez une réponse ; pour expliquer, choisissez aussi l'explication.",
}

WORDS: dict[str, dict[str, str]] = {
    "language": {"fr": "français", "en": "anglais"},
    "class": {"pregnant": "enceinte", "disabled": "handicap"},
    "relationship": {
        "spouse": "conjoint(e)",
        "child": "enfant",
        "parent": "père ou mère",
        "other": "autre",
    },
    "class-why": {
        "pregnant": "Le régime dispense une femme enceinte du délai d'attente. À noter avec son accord.",
        "disabled": "Le régime couvre un enfant handicapé à tout âge. À noter avec l'accord du ménage.",
    },
    "standing": {"claimed": "preuve à vérifier", "checked": "preuve vérifiée", "refused": "preuve refusée"},
    "evidence": {
        "registry-number": "numéro du registre social",
        "document": "carte ou attestation",
        "agent-visit": "visite d'un agent",
        "list": "liste du registre social",
    },
    "not-proven": {
        "not-found": "la preuve manque",
        "over": "la preuve n'est plus valable",
        "other-household": "la preuve est à un autre ménage",
        "unreadable": "la preuve est illisible",
    },
    "mistake": {
        "document": "une pièce a été vue",
        "told": "le ménage le dit",
        "typing": "une faute de frappe",
        "appeal": "une réclamation",
        "flag": "la page Aujourd'hui le signale",
    },
    "listed": {
        "number": "Le ménage a donné ce numéro de registre.",
        "phone": "Le téléphone de la ligne est celui du ménage.",
        "name": "Le chef de ménage a le même nom.",
        "year": "L'année de naissance du chef s'accorde.",
        "number-shared": "Plusieurs ménages ont donné ce numéro.",
        "phone-shared": "Plusieurs ménages ont ce téléphone.",
        "year-differs": "L'année de naissance du chef est une autre.",
        "not-claimed": "Le ménage ne dit pas être de cette catégorie.",
        "refused-before": "Une personne a déjà refusé cette catégorie à ce ménage.",
        "checked-otherwise": "Une autre catégorie est vérifiée pour ce ménage.",
        "several-lines": "Plusieurs lignes pourraient être à ce ménage.",
    },
    "duplicate": {
        "name": "Le prénom et le nom sont les mêmes.",
        "year": "L'année de naissance est la même.",
        "year-near": "Les années de naissance se suivent.",
        "others": "D'autres personnes des deux ménages ont aussi le même nom et la même année.",
        "number": "Le même numéro de preuve est vérifié pour les deux ménages.",
        "phone": "Les deux ménages ont ou ont eu le même téléphone.",
        "mutuelle": "Les deux ménages sont de la même mutuelle.",
    },
    "duplicate-verdict": {
        "same-earlier": "C'est la même personne : demander l'adhésion la plus ancienne",
        "same-later": "C'est la même personne : demander l'adhésion suivante",
        "different": "Ce sont des personnes différentes : demander les deux",
    },
    "duplicate-why": {
        "papers": "les papiers ont été vus",
        "told": "les ménages l'ont dit",
        "agent-visit": "un agent est passé",
        "registry": "le registre le dit",
    },
    "appeal": {"category": "la catégorie", "household": "le ménage", "payment": "un paiement"},
    "answer": {
        "accepted": "acceptée : nous corrigeons",
        "explained": "expliquée",
        "closed": "close sans suite",
    },
    "because": {
        "proof-missing": "il manque un justificatif",
        "not-listed": "le ménage n'est pas sur la liste du registre",
        "as-registered": "le ménage est noté comme il l'a dit",
        "payment-counted": "le paiement est compté",
        "payment-unknown": "l'opérateur ne connaît pas ce paiement",
        "come": "invitation à venir à la mutuelle",
    },
}

SMS = {
    "appeal": "Réclamation reçue",
    "appeal-accepted": "Réclamation acceptée",
    "appeal-explained": "Réponse à une réclamation",
    "appeal-closed": "Réclamation close",
    "proof": "Justificatif à renouveler",
    "proof-accepted": "Justificatif accepté",
    "proof-refused": "Justificatif refusé",
    "reminder": "Rappel",
}
