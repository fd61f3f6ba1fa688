"""Walkers with a known body, gait and camera: skeletons with their truth, and rendered clips of them."""
