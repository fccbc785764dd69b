"""The small animated world that `doodle` knows: scenes, drawing and words.

palette   colours and backgrounds by name
scenes    what is in a clip: drawn at random, split into training and held-out
shapes    circles, squares, triangles and stars as pixels
figures   stick figures: poses, pixels and OpenPose skeletons
render    a scene as frames, skeleton frames and a reference picture
prompts   a scene in words
"""
