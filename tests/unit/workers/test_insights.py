"""What a worker stores of a model is what the door serves: the science's answers fit the wire, through JSON."""

import json

from service.api.schemas.insights import ParetoRead, RecommendationRead
from tests.oracles import film_lab, small_lab, trade_off_lab
from workers.insights import served_insights
from workers.posterior import served_posterior

LINEAGE = {
    "campaign_id": "cmp_1",
    "model_version_id": "mdl_1",
    "revision": 3,
    "stale": False,
    "rests_on_retracted": False,
}


def stored(problem, dataset):
    bundle = film_lab.bundle(problem, dataset)
    return bundle, json.loads(json.dumps(served_insights(problem, bundle, dataset, seed=1), allow_nan=False))


def test_one_objective_has_a_recommendation():
    problem = small_lab.problem(direction="minimise")
    bundle, insights = stored(problem, small_lab.dataset(3))
    assert set(insights) == {"recommendation", "portrait"}
    served = RecommendationRead.model_validate(insights["recommendation"] | LINEAGE)
    assert abs(sum(served.composition.values()) - 1.0) < 1e-9
    assert 300.0 <= served.process["anneal"] <= 900.0
    # It may vary the process too, so it expects no worse than the best of the map, which stands at mid process.
    assert served.mean <= served_posterior(problem, bundle)["best"]["mean"] + 1e-6


def test_several_objectives_have_trade_offs():
    problem = trade_off_lab.problem(2, limited=True)
    _, insights = stored(problem, trade_off_lab.measured(problem))
    assert set(insights) == {"pareto", "portrait"}
    assert [p["property"] for p in insights["portrait"]["properties"]] == ["p0", "p1", "roughness"]
    served = ParetoRead.model_validate(insights["pareto"] | LINEAGE)
    assert [v.property for v in served.points[0].values] == ["p0", "p1", "roughness"]
    assert served.hypervolume_believed.mean >= served.hypervolume_measured.mean > 0.0
