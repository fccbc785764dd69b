"""What a file claims of itself, read from its own structure before a decoder believes it.

============  =============================================================================
``jpeg``      how often the picture is gone through, and whether all of it is there
``boxes``     how many samples the tables of an mp4 speak of, against the bytes that are there
============  =============================================================================
"""
