"""Does a module's own sampling function draw from its own probabilities?"""
