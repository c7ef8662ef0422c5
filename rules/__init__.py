"""What operators say and what follows from it: the language, its one evaluator, the life of alerts, trials of rules.

It says nothing to anybody and calls nothing; `lifecycle`, which is pure, stands alone below `matching`.
"""
