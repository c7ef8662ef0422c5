"""The condition language: the catalogue of fields, the parser, the types and functions, and errors that say the mend.

It knows text and trees alone: no rule, no YAML, no database.
"""
