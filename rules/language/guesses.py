"""A condition whose rule does not say rightly what it is about: checked all the same, for what it most likely reads."""

from rules.language.conditions import parse_condition
from rules.language.errors import ConditionError, ConditionErrors
from rules.language.expressions import Expression
from rules.language.fields import SUBJECTS


def parse_for(text: str, for_each: str | None) -> tuple[Expression | None, tuple[ConditionError, ...]]:
    """The expression that `text` says, or all that is wrong with it.

    Without a `for_each` there is no expression, and the errors are those of the thing for which there are fewest.
    """
    fewest: tuple[ConditionError, ...] | None = None
    for thing in (for_each,) if for_each is not None else SUBJECTS:
        try:
            expression = parse_condition(text, for_each=thing)
        except ConditionErrors as wrong:
            fewest = min(fewest or wrong.errors, wrong.errors, key=_weight)
        else:
            return (expression if for_each is not None else None), ()
    return None, fewest or ()


def _weight(errors: tuple[ConditionError, ...]) -> tuple[int, int]:
    """How far a condition is from right: the fewer errors the better, and of as many those that name what is meant."""
    astray = sum("cannot be read for each" in error.message for error in errors)
    return len(errors), astray + sum(error.suggestion is None for error in errors)
