"""What commands and the Home tab ask of what is stored: the state, the open alerts, and the rows that answer.

It only reads, and renders nothing: words are whoever asks' own work.
"""
