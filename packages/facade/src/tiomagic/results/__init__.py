"""What is read from, and made of, finished jobs: recipes, pictures, exports.

``export``       Stored jobs as a file for other programs.
``pictures``     The methods of ``tm`` and of a job's handle that make pictures and files of a
                 video.
``recipe_diff``  What differs between the run that a recipe tells of and the run that made its
                 video again.
``recipes``      Finding the recipe of a video: in the file itself, beside it, or in a stored job.
"""
