import numpy as np

from models.problem import Problem
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer


def test_the_campaign_is_the_wafer_and_survives_the_wire():
    problem = fe_ga_pd_problem(devices=5, policy="random", seed=9)
    again = Problem.model_validate_json(problem.model_dump_json())
    assert again == problem
    assert (problem.policy.name, problem.seed, problem.film.devices) == ("random", 9, 5)
    matrix, limits, names = problem.space.inequalities()
    wafer = Wafer.load()
    assert ((wafer.compositions @ matrix.T) <= limits + 1e-9).all()
    assert len(names) == 2 * 3 + len(wafer.hull)
    assert problem.objectives[0].direction == "maximise"
    assert not ((np.eye(3) @ matrix.T) <= limits).all(axis=1).any()
