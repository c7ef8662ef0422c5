"""The spellings in which accounts write what the standards name: moments and words.

Pure text in, a value or the text itself out. Nothing here knows the contract, a row or the database.
"""
