"""The errors of the method: each message is one line for a person (what, where, what to do next)."""


class UserError(Exception):
    """Something the user can mend. The command line prints the message, without a traceback, and exits with 2."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type or out of range; the message names the key."""


class CheckpointError(UserError):
    """A weights file is missing, damaged, or made for another layout or version."""


class DatasetError(UserError):
    """A dataset is not where it should be or not in the form it should have; the message names the file."""
