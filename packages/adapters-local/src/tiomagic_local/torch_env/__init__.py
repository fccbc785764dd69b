"""What this machine and its installed torch can do.

``devices``  Which device runs the model, and in which numbers.
``imports``  Importing the model libraries without looking for garbage meanwhile.
``machine``  What this machine has for running models: for a person who wants to know before they
             start.
``quiet``    Keeps the model libraries from writing to the terminal, and puts everything back
             afterwards.
"""
