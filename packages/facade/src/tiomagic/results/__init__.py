"""What is read from, and made of, finished jobs: recipes, pictures, exports.

``export``       Stored jobs as a file for other programs.
``pictures``     Pictures of a job's video, and files for other programs: where they go, under
                 which names.
``recipe_diff``  What differs between the run that a recipe tells of and the run that made its
                 video again.
``recipes``      Finding the recipe of a video: in the file itself, beside it, or in a stored job.
"""
