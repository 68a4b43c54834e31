"""Folders of images, decoded once into arrays that are mapped from then on."""
