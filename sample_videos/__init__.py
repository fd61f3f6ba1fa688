"""Small clips of rendered walkers, who is in them, and their true joints."""
