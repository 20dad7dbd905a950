"""A target as charts show it: a line across the frame, and a band as wide as its tolerance."""

from models.objective import Objective, Property
from service.web.charts.plot import Plot, line_sign
from service.web.drawings import Words
from service.web.formats import target


def reach_of(sought: Property | None) -> tuple[float, ...]:
    """Lower end, middle and upper end of what is wanted; nothing where there is no target."""
    if not isinstance(sought, Objective) or sought.target is None:
        return ()
    return tuple(sought.target + way * sought.tolerance for way in (-1.0, 0.0, 1.0))


def across(plot: Plot, sought: Property | None, t: Words) -> None:
    """Draw the target of what is shown upwards, if there is one."""
    if not (wanted := reach_of(sought)) or sought is None:
        return
    low, middle, high = wanted
    if high > low:
        plot.band([plot.x.scale.lower, plot.x.scale.upper], [low, low], [high, high], "band s3")
    plot.level(middle, "rule target")
    plot.key(line_sign("rule target"), words(sought, t))


def words(sought: Property, t: Words) -> str:
    """What a legend says of it."""
    return t("progress.target", target=target(sought.model_dump()))
