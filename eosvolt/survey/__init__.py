"""Looking at an account: what its answers hold, how they differ from the contract, and which lines would mend that.

It only compares what somebody asked for; nothing here changes how answers are read.
"""
