"""Checks what a file declares about itself before a decoder allocates memory for it.

============  =============================================================================
``jpeg``      how many scans the picture has, and whether all of it is there
``boxes``     how many samples the tables of an mp4 declare, against the bytes in the file
============  =============================================================================
"""
