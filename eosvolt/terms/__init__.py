"""What a contract file can say: its tables as frozen records, how they are checked, and paths into answers.

It opens no connection and maps no row; `eosvolt.contract` reads the files.
"""
