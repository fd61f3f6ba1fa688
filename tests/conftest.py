"""How far generated tests go: the same few inputs at every run, or many new ones with --hypothesis-profile=long."""

from hypothesis import settings

settings.register_profile("same", max_examples=50, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=500, deadline=None)
settings.load_profile("same")
