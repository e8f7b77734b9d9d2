"""Enrols households, checks their categories, loads social registries, records corrections and appeals.

In reading order: `enrolment` writes a new household, `agent_enrolment` reads an agent's form; `categories`
and `pending_proofs` hold what a household claims and what proves it; `office_lists` reads a list, `registry`,
`registry_matching`, `registry_queries` and `registry_proposals` use those of a social registry;
`household_changes` and `member_names` correct; `appeals` holds tickets.
"""
