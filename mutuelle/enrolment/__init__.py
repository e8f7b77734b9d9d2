"""Joining: the act of enrolling, categories and their proof, registries, corrections by staff, appeals.

`enrolment` is the act; `agent_enrolment` the agent's form; `categories` and `pending_proofs` what a household
says it is and what proves it; `registry`, `registry_matching` and `registry_proposals` lists of a social
registry; `office_lists` reads any list; `household_changes` and `member_names` correct; `appeals` holds
tickets.
"""
