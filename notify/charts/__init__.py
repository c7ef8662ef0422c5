"""Charts of the KPIs as pictures: what is drawn, and the same facts as a text for those who do not see it.

It asks the KPIs for figures and defines none; it sends nothing.
"""
