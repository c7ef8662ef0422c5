"""From transition to message: what is to be said, to whom, in which words. It posts nothing and reads no clock."""
