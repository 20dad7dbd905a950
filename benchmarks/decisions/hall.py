"""T3's truth: a synthetic anomalous Hall resistivity of annealed Fe-Co-Ni films with two of Ta, W, Ir.

No data: a smooth function with the features that make such searches hard. With fractions x and h = Ta + W + Ir,

    N   = (8 Fe + 9 Co + 10 Ni) / (Fe + Co + Ni)                        3d electrons per magnetic atom
    m   = (2.2 Fe + 1.7 Co + 0.6 Ni) exp(-(h / 0.35)^2)                 moment, diluted by what is not magnetic
    c   = (2.5 Ta + 3.5 W + 5 Ir + 40 W Ir + 15 Ta Ir) / (0.5 + 5 h)    spin-orbit coupling, saturating; pairs help
    R   = exp(-((N - 8.55 - 1.2 h) / 0.28)^2)                           a narrow ridge across Fe-Co-Ni, bent by h
    A   = exp(-((T - 330 - 700 h - 500 Ir) / 110)^2)                    annealing: best temperature rises with h
    rho = 0.5 m + 3 m c (0.25 + R) (0.35 + 0.65 A) + 1.5 Fe Co - 2 Ni h  in uOhm cm

The ridge cuts the ternary obliquely, so that a film along one pair crosses it at one point only; the two heavy
elements that belong together and the temperature have to be found as well. Fe, Co, Ni lie between 10 and 70 at.%, at
most two of Ta, W, Ir are present, 5 to 30 at.% in all; T is 200 to 600 degrees Celsius. The lattice has steps of
5 at.% for Fe, Co, Ni and of 1 at.% for the two heavy elements: 18,594 compositions.
"""

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from models.composition import ContinuousVariable, ElementBounds, GroupRule, SearchSpace
from models.film import FilmGeometry
from models.objective import Objective
from models.problem import Problem

Array = NDArray[np.float64]

ELEMENTS = ("Fe", "Co", "Ni", "Ta", "W", "Ir")
HEAVY = ELEMENTS[3:]
UNIT = "uOhm cm"
COLDEST, HOTTEST = 200.0, 600.0
LATTICE_POINTS = 18_594


def resistivity(points: Array) -> Array:
    """Truth at `j x 7` points (six fractions, temperature in the unit interval), `j x 1` in uOhm cm."""
    fe, co, ni, ta, w, ir, u = points.T
    heavy, temperature = ta + w + ir, COLDEST + (HOTTEST - COLDEST) * u
    electrons = (8.0 * fe + 9.0 * co + 10.0 * ni) / (fe + co + ni)
    moment = (2.2 * fe + 1.7 * co + 0.6 * ni) * np.exp(-((heavy / 0.35) ** 2))
    coupling = (2.5 * ta + 3.5 * w + 5.0 * ir + 40.0 * w * ir + 15.0 * ta * ir) / (0.5 + 5.0 * heavy)
    ridge = np.exp(-(((electrons - 8.55 - 1.2 * heavy) / 0.28) ** 2))
    anneal = np.exp(-(((temperature - 330.0 - 700.0 * heavy - 500.0 * ir) / 110.0) ** 2))
    hall = 0.5 * moment + 3.0 * moment * coupling * (0.25 + ridge) * (0.35 + 0.65 * anneal)
    return np.asarray(hall + 1.5 * fe * co - 2.0 * ni * heavy)[:, None]


@lru_cache(maxsize=1)
def lattice() -> Array:
    """The compositions of the lattice, `18,594 x 6`."""
    rows = []
    for i, j in combinations(range(3, 6), 2):
        for heavy in range(5, 31, 5):
            rest = 100 - heavy
            for fe in range(10, 71, 5):
                for co in range(10, 71, 5):
                    if 10 <= rest - fe - co <= 70:
                        for share in range(1, heavy):
                            row = [fe, co, rest - fe - co, 0, 0, 0]
                            row[i], row[j] = share, heavy - share
                            rows.append(row)
    return np.array(rows) / 100.0


def problem(devices: int, grading: str) -> Problem:
    """The search as a campaign."""
    return Problem(
        space=SearchSpace(
            elements=ELEMENTS,
            bounds=(
                *(ElementBounds(element=e, lower=0.1, upper=0.7) for e in ELEMENTS[:3]),
                *(ElementBounds(element=e, absent_or_at_least=0.01) for e in HEAVY),
            ),
            groups=(GroupRule(name="heavy", elements=HEAVY, lower=0.05, upper=0.3, max_present=2),),
            process=(ContinuousVariable(name="anneal", unit="C", lower=COLDEST, upper=HOTTEST),),
        ),
        objectives=(Objective(property="hall_resistivity", unit=UNIT),),
        film=FilmGeometry.model_validate({"devices": devices, "grading": grading, "span_min": 0.05, "span_max": 0.6}),
    )
