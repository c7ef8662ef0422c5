"""Lists of EOSVOLT: walking through their pages, and whether what came is the whole list.

It makes no call and reads no row: it keeps the books of pages that the client fetched.
"""
