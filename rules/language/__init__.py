"""The condition language: the catalogue of fields, the parser, the types and functions, and errors that say the mend.

It knows text, trees and how a field is said in SQL. It knows no rule and no YAML, and asks no database.
"""
