"""Shots that go on: the end of a video, what follows joined to it, and loops.

``assembly``  Puts videos together: takes the end of one, joins two, closes a loop.
``joiner``    The port ``VideoJoiner``, light to import.
``seam``      How well two parts meet: the step at the seam against those elsewhere.
``sound``     The sound of a video that is put together of parts.

Importing this package loads none of Pillow, PyAV and numpy.
"""
