"""A lab that can only make a few uniform films, so that every candidate for an answer can be told by hand."""

import numpy as np

from models.dataset import Dataset
from models.film import Film, FilmChoice
from models.tensors import to_array, to_tensor
from tests.oracles.ei_quadrature import posterior
from tests.oracles.trade_off_lab import problem as of_several
from tests.oracles.trade_off_lab import truth

MADE = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])
POSSIBLE = np.array([*MADE, [0.5, 0.4, 0.1], [0.4, 0.2, 0.4], [0.3, 0.35, 0.35], [0.55, 0.15, 0.3]])


def problem(objectives, *, limited=False, policy=None, **more):
    """A problem whose every device lies at one of the `POSSIBLE` compositions."""
    asked = of_several(objectives, limited=limited, policy=policy, **more)
    named = [dict(zip("ABC", x.tolist(), strict=True)) for x in POSSIBLE]
    film = {"devices": 1, "choices": tuple(FilmChoice(a=x, b=x) for x in named)}
    return type(asked).model_validate(asked.model_dump() | {"film": film})


def measured(asked, *, noise=0.02):
    """One reading of everything at each of the `MADE` compositions."""
    Y = truth(asked, MADE) * (1.0 + noise * np.random.default_rng(0).standard_normal((3, 1)))
    names = np.array(["film-0", "film-1", "film-2"])
    return Dataset(MADE, Y, np.full(Y.shape, np.nan), names, np.arange(3.0))


def film(x):
    """A uniform film of one device."""
    return Film(np.asarray(x), np.asarray(x), np.empty(0), np.array([0.5]))


def drawn(model, points, *, draws, seed):
    """Every property at points by dense conditioning and plain sampling, maximised, physical: `draws x n x properties`.

    The surrogate's hyperparameters are taken as given; its readings are conditioned on anew.
    """
    rng, columns, state = np.random.default_rng(seed), [], model.state
    for k, h in enumerate(state.hyperparameters):
        latent = model.latents(k)[0]

        def prior(one, other, latent=latent):
            return to_array(latent.prior(to_tensor(one), to_tensor(other)))

        same = (state.film[:, None] == state.film).astype(float)
        noise = h.film_variance * same + h.noise_variance * np.eye(len(same))
        y = (state.Y[:, k] - state.centre[k]) / state.scale[k]
        mean, covariance = posterior(prior, state.X, noise, y, points)
        root = np.linalg.cholesky(covariance + 1e-10 * np.trace(covariance) / len(mean) * np.eye(len(mean)))
        columns.append(state.centre[k] + state.scale[k] * (mean + rng.standard_normal((draws, len(mean))) @ root.T))
    return np.stack(columns, axis=-1)
