"""Enrols households, checks their categories, loads social registries, records corrections and appeals.

In reading order: `joining_price` prices a household that joins; `enrolment` writes it. `agent_enrolment`
enrols from an agent's form. `category_proofs` and `pending_proofs` hold a household's category and its
proof. `office_list_csv` reads CSV. `social_registry`, `registry_matching`, `registry_queries` and
`registry_proposals` load the lists of social registries and match them with households.
`household_changes`, `relationship_changes` and `member_names` correct members; `shown_household` checks
that a page was not outdated. `appeals` holds tickets.
"""
