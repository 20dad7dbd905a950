"""Models kept between decisions: of several campaigns, boundedly, and never the wrong one."""

from models.train import train
from tests.oracles import small_lab
from workers.warm import WarmModels

BUNDLE = train(small_lab.problem(), small_lab.dataset(), seed=1)


def test_campaigns_that_alternate_keep_their_models():
    warm = WarmModels(2)
    for _ in range(3):
        for campaign in ("a", "b"):
            warm.keep(campaign, f"model of {campaign}", BUNDLE)
    assert warm.get("a", "model of a") is BUNDLE
    assert warm.get("b", "model of b") is BUNDLE


def test_another_model_of_the_campaign_is_not_given():
    warm = WarmModels()
    warm.keep("a", "new", BUNDLE)
    assert warm.get("a", "old") is None
    assert warm.get("b", "new") is None


def test_the_campaign_that_waited_longest_loses_its_model():
    warm = WarmModels(2)
    for campaign in ("a", "b", "a", "c"):
        warm.keep(campaign, "model", BUNDLE)
    assert [warm.get(campaign, "model") is BUNDLE for campaign in "abc"] == [True, False, True]
