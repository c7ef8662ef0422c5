"""The standard's words as accounts spell them: whatever their case, and whatever separators stand in them.

It recognises; what is no standard word stays the text that it was.
"""

from eosvolt.models import ERROR_CODES


def folded(word: str) -> str:
    """A word without case and separators: what two spellings of one word have in common."""
    return "".join(c for c in word if c.isalnum()).lower()


_ERROR_CODES = {folded(code): code for code in ERROR_CODES}


def error_code(text: str) -> str:
    """A ChargePointErrorCode as OCPP 1.6 spells it (GROUND_FAILURE is GroundFailure); a vendor's own as given."""
    return _ERROR_CODES.get(folded(text), text)
