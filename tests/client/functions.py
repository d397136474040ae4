"""Functions that tests send: of a module, so that a job imports them."""


def add(x: int, y: int = 3) -> int:
    """A sum."""
    return x + y


def divide(x: int, y: int) -> float:
    """A quotient."""
    return x / y
