"""Results of jobs: recipes, pictures, exports, comparisons.

``export``       Stored jobs as a file for other programs.
``pictures``     The methods of ``tm`` and of a job's handle that make pictures and files of a
                 video.
``recipe_diff``  Compares a recipe's run with the run that repeated it: versions, weights, device.
``recipes``      Finding the recipe of a video: in the file itself, beside it, or in a stored job.
``saving``       Copies a job's video to a place of the user's choice.
"""
