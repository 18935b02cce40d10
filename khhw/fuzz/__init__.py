"""The attack campaign: hostile software on the nodes of one domain, honest software on the others, and who wrote what.

``docs/attack.md`` says what is tried, what is checked and what came of it.
"""
