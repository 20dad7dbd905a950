"""A film: the wedge with its devices, what was expected and what was read, why it was made, how to compute it again."""

from fastapi import APIRouter, Request, Response

from service.operations import campaigns, replays, spectra
from service.operations.film_story import film_story
from service.web import drawings
from service.web.charts.figure import Figure
from service.web.dependencies import FilmId, SessionsDependency
from service.web.drawings import film as drawn
from service.web.drawings.spectra import spectra as spectra_chart
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render, words_of

router = APIRouter()

REPLAYS = 20
"""The newest ones that are listed."""


@router.get("/films/{film_id}")
def show_film(request: Request, film_id: FilmId, sessions: SessionsDependency) -> Response:
    """The film with everything that is known of it; its curves follow."""
    t: drawings.Words = words_of(request)
    with sessions() as session:
        story = film_story(session, film_id)
        campaign = campaigns.get(session, story.film.campaign_id)
        done = replays.page(session, story.proposal.id, None, 1000)[-REPLAYS:]
    charts: list[Figure | None] = [drawn.wedge(story, t)]
    for sought in story.problem.properties:
        charts += [drawn.predicted_and_read(story, sought, t), drawn.residuals(story, sought, t)]
    charts.append(drawn.misses(story, t))
    return render(
        request,
        "film.html",
        campaign=campaign,
        tabs=CAMPAIGN_TABS,
        tab="films",
        story=story,
        charts=[c for c in charts if c is not None],
        pairs=drawn.pair_scores(story, t),
        replays=done,
        has_curves=any(len(s.row.axes) == 1 for s in story.attachments),
    )


@router.get("/films/{film_id}/spectra")
def show_spectra(request: Request, film_id: FilmId, sessions: SessionsDependency) -> Response:
    """Its curves alone: they are read and thinned after the page has come."""
    t: drawings.Words = words_of(request)
    with sessions() as session:
        story = film_story(session, film_id)
        found = spectra.of_film(session, story.film.campaign_id, film_id)
    return render(request, "film/spectra.html", charts=[spectra_chart(curves, t) for curves in found])


@router.get("/films/{film_id}/replays")
def show_replays(request: Request, film_id: FilmId, sessions: SessionsDependency) -> Response:
    """The list of replays alone, as it is now."""
    with sessions() as session:
        story = film_story(session, film_id)
        done = replays.page(session, story.proposal.id, None, 1000)[-REPLAYS:]
    return render(request, "film/replays.html", story=story, replays=done)
