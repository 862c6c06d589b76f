"""Figures as words: how a page writes shares, points and seconds, and that something was not measured."""

from markupsafe import Markup

MISSING = Markup('<span class="missing">not measured</span>')
"""Never a 0 and never an empty cell."""

SPACE = "\N{NO-BREAK SPACE}"


def share(value: float | None) -> str:
    """93.3 % of 0.933."""
    return MISSING if value is None else f"{value * 100:.1f}{SPACE}%"


def share_range(ci95: tuple[float | None, float | None]) -> str:
    """90.3 to 96.0 %; nothing where the interval is undefined (its mean says so already)."""
    low, high = ci95
    return "" if low is None or high is None else f"{low * 100:.1f} to {high * 100:.1f}{SPACE}%"


def points(value: float | None) -> str:
    """+24.2, with a true minus sign where it is negative."""
    return MISSING if value is None else f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def number(value: float | None, digits: int = 2) -> str:
    """With so many decimals; a count without any."""
    if value is None:
        return MISSING
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """0.12 s, 48 s, 8 min 33 s, 1 h 04 min."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
