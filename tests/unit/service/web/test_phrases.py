"""What the service says by itself is known by its words, and said in the visitor's language with the same values."""

import ast
import string
from pathlib import Path

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from models.stopping import Standing, Stopping, advise
from service.errors import IllegalTransition, InvalidInput, NotFound
from service.operations import units
from service.web import catalogue
from service.web.pages.new import blueprints, faults
from service.web.phrases import Piece, plain, said, shown

ROOT = Path(catalogue.__file__).parents[2]
CODE = [p for folder in ("models", "service", "workers") for p in (ROOT / folder).rglob("*.py")]
SIGNS = " ,.:;"
PHRASES = {key: words["en"] for key, words in catalogue.words().items() if key.startswith("said.")}


@pytest.fixture(scope="module")
def written():
    """Every stretch of text in the code, and in the messages of the library that checks shapes."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in CODE)
    found = {n.value for t in trees for n in ast.walk(t) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    messages = {e.get(f"message_template_{mode}") or "" for e in list_all_errors() for mode in ("python", "json")}
    found |= {stretch for message in messages for stretch, *_ in string.Formatter().parse(message)}
    return {stretch.strip(SIGNS) for stretch in found} - {""}


def is_written(words, written):
    """Whether words stand in one stretch of text, or run from the end of one into the next ones."""
    words = words.strip(SIGNS)
    if any(words in stretch for stretch in written):
        return True
    return any(ends(words[:k], written) and is_begun(words[k:], written) for k in seams(words))


def ends(words, written):
    return any(stretch.endswith(words.strip(SIGNS)) for stretch in written)


def is_begun(words, written):
    words = words.removeprefix("s").strip(SIGNS)
    if any(stretch.startswith(words) for stretch in written):
        return True
    return any(words[:k].strip(SIGNS) in written and is_begun(words[k:], written) for k in seams(words))


def seams(words):
    return [k for k, sign in enumerate(words) if k and sign in " ,:s"]


def test_every_phrase_is_in_the_words_of_the_code(written):
    """A text that was reworded there would be English for everybody."""
    missing = {
        key: literal
        for key, phrase in PHRASES.items()
        for literal, *_ in string.Formatter().parse(phrase)
        if not is_written(literal.strip(SIGNS + "'").removesuffix("s"), written)
    }
    assert missing == {}
    assert not is_written("the next film is expected to lose", written)


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        (
            "expected improvement 0.3 mV over the best of 12 readings and 1 film in flight; grades Fe +0.10, Pd -0.10; "
            "of pairs alone Fe-Pd gains 0.2 mV, next best Fe-Ga 0.1 mV; "
            "expected_improvement was taken because one objective is sought and more films will come",
            "測定値 12 件の最良値と進行中の膜 1 枚に対する期待改善量 0.3 mV；Fe +0.10, Pd -0.10 を傾斜させます；"
            "2 元素だけなら Fe-Pd の利得は 0.2 mV、次点は Fe-Ga 0.1 mV；"
            "目的は 1 つで膜はまだ続くため、方策は期待改善量（EI）",
        ),
        (
            "expected hypervolume improvement 0.3 GPa x S over 3 trade-offs among 20 readings, "
            "counting hardness above 3 GPa and loss below 2 S, with Hc kept within limits",
            "測定値 20 件のうちトレードオフ 3 点に対する期待ハイパーボリューム改善量 0.3 GPa x S"
            "（hardness の 3 GPa を上回る分とloss の 2 S を下回る分を計上）（Hc は制限内）",
        ),
        ("end B: fractions sum to 1: the sum is 0.9", "端 B：組成の合計は 100 % です（指定の合計：0.9）"),
        ("Input should be greater than 0, got -1", "0 より大きい値にしてください（入力：-1）"),
    ],
)
def test_a_text_is_said_with_its_values(english, japanese):
    assert said("ja", english) == (Piece(japanese),)
    assert said("en", english) == (Piece(english),)


def test_what_is_not_known_stays_english_and_is_marked():
    text = "fills the space between 0 readings and 2 films in flight; the fit failed: <no> root"
    assert shown(text, "ja") == (
        "測定値 0 件と進行中の膜 2 枚の間の空間を埋めます；モデルの当てはめに失敗しました："
        '<span lang="en">&lt;no&gt; root</span>'
    )
    assert said("ja", "Nobody knows this.") == (Piece("Nobody knows this.", "en"),)
    assert said("ja", "x" * 5000) == (Piece("x" * 5000, "en"),)
    assert plain("ja", "there is no trained model; so what") == "学習済みのモデルがありません；so what"


def test_stop_advice_is_said_whole():
    history = [Standing(k, "expected_improvement", g, 0.3, 0.5) for k, g in enumerate([0.9, 0.2, 0.1, 0.02, 0.01])]
    cases = [history[:n] for n in range(1, 6)] + [history * 3, [], [Standing(1, "mapping", 0.1, 0.2)]]
    options = [Stopping(), Stopping(worth=0.5), Stopping(resolution=0.05, patience=1)]
    told = {advise(case, o, unit="uohm cm", left=left).why for case in cases for o in options for left in (None, 0, 3)}
    told |= {advise([Standing(1, "expected_improvement", 0.1, None)], o, unit="V").why for o in options}
    assert len(told) > 10
    assert english(told) == set()


def english(texts):
    return {text for text in texts if any(piece.language for piece in said("ja", text))}


def _problems():
    for change in (
        {"space": {"elements": ["Fe", "Fe"]}},
        {"space": {"elements": ["Fe", "Ga"], "bounds": [{"element": "Pd", "lower": 0.1}]}},
        {"space": {"elements": ["Fe", "Ga"], "bounds": [{"element": "Fe", "lower": 0.6}, {"element": "Fe"}]}},
        {"space": {"elements": ["Fe", "Ga"], "bounds": [{"element": e, "lower": 0.6} for e in ("Fe", "Ga")]}},
        {"space": {"elements": ["Fe", "Ga"], "bounds": [{"element": "Fe", "lower": 0.6, "upper": 0.4}]}},
        {"space": {"elements": []}},
        {"space": {"elements": ["Fe", ""]}},
        {"objectives": []},
        {"objectives": [{"property": "hardness", "unit": "gigapuscal"}]},
        {"objectives": [{"property": "hardness", "unit": "GPa", "direction": "up"}]},
        {"objectives": [{"property": "hardness", "unit": "GPa"}] * 2},
        {"film": {"devices": 0}},
        {"film": {"devices": "many"}},
        {"film": {"devices": 3.5}},
        {"film": {"devices": 3, "span_min": 0.5, "span_max": 0.4}},
        {"film": {"devices": 3, "positions": [0.1, 0.2]}},
        {"policy": {"name": "luck"}},
        {"policy": {"name": "hypervolume_improvement"}},
        {"generator": {"name": "conditional_vae", "known": [{"Fe": 1.0}, {"Xx": 0.5, "Fe": 0.5}]}},
        {"generator": {"name": "conditional_vae", "known": [{"Fe": 0.5}]}},
        {"nonsense": 1},
        {"initial_films": 0},
        {"seed": -1},
    ):
        problem = {**blueprints()["alloy"]["problem"], **change}
        yield pytest.param(problem, id=str(change)[:60])


@pytest.mark.parametrize("problem", list(_problems()))
def test_what_is_wrong_with_a_new_campaign_is_said(problem):
    told = faults(problem)
    assert told
    assert english({fault["message"] for fault in told}) == set()


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: float = Field(gt=0.0, lt=10.0, allow_inf_nan=False)
    whole: int = Field(ge=1, le=9)
    name: str = Field(min_length=1, max_length=3)
    when: AwareDatetime
    known: bool
    some: list[int] = Field(min_length=1, max_length=2)


GOOD = {"number": 1.0, "whole": 1, "name": "a", "when": "2026-03-01T12:00:00Z", "known": True, "some": [1]}


@pytest.mark.parametrize(
    "change",
    [{name: value} for name in GOOD for value in (-1, 11, "", "words", [], [1, 2, 3], {}, 1.5)]
    + [{"when": "2026-03-01T12:00:00"}, {"other": 1}, {"number": float("inf")}],
    ids=str,
)
def test_what_a_shape_refuses_is_said(change):
    told = set()
    for given in (GOOD | change, {}):
        try:
            Shape.model_validate(given)
        except ValidationError as error:
            told |= {fault["msg"] for fault in error.errors()}
    # What a date lacks is told in the words of another library.
    assert {text for text in english(told) if plain("ja", text) == text} == set()


def test_what_else_is_refused_is_said():
    told = {str(IllegalTransition("campaign", "cmp_1", "completed", "pause", [])), str(NotFound("film", "flm_1"))}
    for unit, wanted in [("kg", "GPa"), ("gigapuscal", "GPa"), ("1/", "GPa"), ("HV", "GPa"), ("J/kg K", "GPa")]:
        with pytest.raises(InvalidInput) as refused:
            units.conversion(unit, wanted)
        told |= {str(refused.value), f"{refused.value}, the campaign's unit of 'hardness'"}
    assert english(told) == set()


def test_no_text_is_too_deep():
    assert plain("ja", "end a: " * 142 + "x").startswith("端 a：端 a：")
