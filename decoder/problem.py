"""The base of what a command cannot do, told to its user in one line."""


class Problem(Exception):
    """The message is that line: it names the thing, and the mend if there is one."""
