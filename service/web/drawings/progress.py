"""The progress chart: what is best so far against films, with its uncertainty; hypervolume for several objectives."""

import numpy as np

from service.operations.charts import Progress
from service.store.charts import Standing
from service.web.charts.figure import Figure, Table
from service.web.charts.plot import Axis, Plot, band_sign, dot_sign, line_sign
from service.web.charts.scales import fitted, significant, whole, with_uncertainty
from service.web.charts.thinning import spread, thinned_line
from service.web.drawings import CONFIDENT, Words, targets

MOST_FILMS = 400
"""Points of a line; beyond, those that carry its outline."""
MOST_ROWS = 60


def progress_chart(found: Progress, t: Words) -> Figure | None:
    """The chart; None while there is nothing to show."""
    stood = [s for s in found.standings if s.best_mean is not None and s.films > 0]
    if not stood and not found.films:
        return None
    name = t("progress.hypervolume") if not found.property else _spoken(found.property)
    unit = found.unit.replace(" x ", " × ")
    reach = max(
        [s.films for s in stood]
        + [len(found.films)]
        + ([found.budget] if found.budget and found.budget <= _room(found) else [])
    )
    x = Axis(whole(reach), t("progress.films"))
    values = (
        [v for s in stood for v in _interval(s)] + [f.best for f in found.films] + list(targets.reach_of(found.sought))
    )
    plot = Plot(x, Axis(fitted(values), name, unit), width=620.0, height=310.0, grid_x=False)
    targets.across(plot, found.sought, t)
    _expected(plot, stood, _what(found, t), unit, t)
    _read(plot, found, unit, t)
    caption = t(_caption(found))
    drawn = plot.drawn(t("progress.title"), caption, "progress")
    return Figure(drawn, caption, _table(found, stood, unit, t), wide=True)


def _caption(found: Progress) -> str:
    """Which words say what is shown."""
    if found.sought is None:
        return "progress.caption_volume"
    return "progress.caption" if found.sought.target is None else "progress.caption_target"


def _what(found: Progress, t: Words) -> str:
    """What the line is of."""
    return t("progress.expected" if found.property else "progress.volume_read")


def _room(found: Progress) -> int:
    """The largest budget with which the axis is not left mostly empty."""
    return 3 * max(len(found.films), len(found.standings), 1)


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _interval(s: Standing) -> tuple[float, float]:
    mean, reach = s.best_mean or 0.0, CONFIDENT * (s.best_sd or 0.0)
    return mean - reach, mean + reach


def _expected(plot: Plot, stood: list[Standing], what: str, unit: str, t: Words) -> None:
    """What the model expects at the best composition, and how sure it is."""
    if not stood:
        return
    films = np.array([s.films for s in stood], dtype=np.float64)
    shown = [stood[k] for k in thinned_line(films, np.array([s.best_mean for s in stood]), MOST_FILMS)]
    places = [float(s.films) for s in shown]
    ranges = [_interval(s) for s in shown]
    plot.band(places, [low for low, _ in ranges], [high for _, high in ranges], "band s1")
    plot.line([(float(s.films), s.best_mean or 0.0) for s in shown], "line s1")
    for s in shown if len(shown) <= 80 else shown[-1:]:
        words = f"{t('progress.after', n=s.films)}\n{with_uncertainty(s.best_mean or 0.0, s.best_sd)} {unit}"
        plot.dot((float(s.films), s.best_mean or 0.0), words, kind="dot s1", radius=3.0)
    plot.key(line_sign("line s1"), what)
    plot.key(band_sign("band s1"), t("charts.interval_95"))


def _read(plot: Plot, found: Progress, unit: str, t: Words) -> None:
    """The best reading of each film, and the best of all so far: luck included."""
    if not found.films:
        return
    order = np.arange(1.0, len(found.films) + 1)
    for k in thinned_line(order, np.array([f.best for f in found.films]), MOST_FILMS):
        film = found.films[k]
        words = f"{t('progress.film', n=int(k) + 1)}\n{t('progress.best_reading')} {significant(film.best, 4)} {unit}"
        plot.dot((float(order[k]), film.best), words, kind="ring s2", link=f"/films/{film.film_id}")
    so_far = [f.best_so_far for f in found.films]
    corners = [k for k in range(len(so_far)) if k in (0, len(so_far) - 1) or so_far[k] != so_far[k - 1]]
    plot.steps([(float(order[k]), so_far[k]) for k in corners], "line thin s2")
    plot.key(dot_sign("ring s2"), t("progress.best_reading_of_film"))
    plot.key(line_sign("line thin s2"), t("progress.best_reading_so_far"))


def _table(found: Progress, stood: list[Standing], unit: str, t: Words) -> Table:
    by_films = {s.films: s for s in stood}
    count = max([*by_films, len(found.films)])
    head = [t("progress.films"), f"{_what(found, t)} ({unit})"]
    if found.films:
        head.append(f"{t('progress.best_reading_of_film')} ({unit})")
    rows, links = [], []
    for n in spread(range(1, count + 1), MOST_ROWS):
        s = by_films.get(n)
        film = found.films[n - 1] if n <= len(found.films) else None
        expected = with_uncertainty(s.best_mean, s.best_sd) if s is not None and s.best_mean is not None else "\u2013"
        row = [str(n), expected]
        if found.films:
            row.append(significant(film.best, 4) if film is not None else "\u2013")
        rows.append(tuple(row))
        links.append(f"/films/{film.film_id}" if film is not None else None)
    return Table(tuple(head), tuple(rows), tuple(links))
