"""The domain of a health mutuelle: a hall of common files and twelve rooms. No Flask, no RQ, no HTTP.

Rooms, in reading order: schemes, organisation, contributions, cover, messaging, households, payments,
billing, enrolment, subsidies, reports, verification. A room imports only rooms before it. The hall (the files
of this folder) is imported by all.

Words, used exactly so in code, screens and tables:

scheme         the rule book with effective dates
mutuelle       the organisation that runs a scheme in a place (the tenant)
household      the people covered together
member         head or dependant; `provisional` until named
category       general, indigent, ...: `claimed` until its evidence is checked
bill           what a household owes for a period, in lines per payer (member, State, commune, sponsor)
payment        our request to collect, under our own reference
account        a merchant wallet at an operator
notice         a message from outside, stored as it came
receipt        money proven received, unique per (operator account, transaction)
allocation     the part of a receipt that pays a bill line
suspense       a receipt that nothing attributes to a household yet
entry          a ledger entry, made of postings
rights         what a household may claim on a day, kept as dated intervals
subsidy claim  what we ask of State, commune or sponsor, household by household, in lines of one member each
message        an SMS to send once
turn           one input and one screen
status         what a rule asks about a member, such as `disabled`; a *class* on pages and in tables
proof          checked evidence of a category
ticket         an appeal of a household, with a deadline
case           something that staff must look at (table `flags`)
lease          the time for which a worker holds a row of inbox or outbox
"""
