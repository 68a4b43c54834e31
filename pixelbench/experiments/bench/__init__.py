"""Measurements of speed: a network's training, scoring and sampling on this device, beside the device's own roof."""
