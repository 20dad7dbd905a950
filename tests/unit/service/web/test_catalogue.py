"""Every word is there in every language, is used, and says the same things."""

import json
import re
import string
from pathlib import Path

import pytest

from service.web import catalogue
from service.web.catalogue import FOLDER, LANGUAGES, chosen, text, words

WEB = FOLDER.parent
SOURCES = [p for kind in ("*.html", "*.py", "*.js") for p in WEB.rglob(kind) if "vendor" not in p.parts]
SAID = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
WHOLE = set(re.findall(r"""["']([a-z_]+(?:\.[a-z0-9_ ]+)+)["']""", SAID))
BEGUN = set(re.findall(r"""["']([a-z_]+(?:\.[a-z0-9_]+)*\.)["']\s*[~+]""", SAID)) | set(
    re.findall(r"""f["']([a-z_]+(?:\.[a-z0-9_]+)*\.)\{""", SAID)
)
"""Keys whose end is a name out of the record or of a list."""


def places(said):
    return {
        name
        for one in ([said] if isinstance(said, str) else said)
        for _, name, *_ in string.Formatter().parse(one)
        if name
    }


@pytest.mark.parametrize("key", sorted(words()))
def test_every_language_has_it_with_the_same_places(key):
    said = words()[key]
    assert set(said) == set(LANGUAGES)
    if key.startswith("said."):  # known by every place of its English, but not all need be said
        assert places(said["ja"]) <= places(said["en"]), said
    else:
        assert len({frozenset(places(one)) for one in said.values()}) == 1, said
    for one in said.values():
        assert all(part.strip() == part != "" for part in ([one] if isinstance(one, str) else one))
        assert isinstance(one, str) or len(one) == 2


def test_every_word_that_a_page_asks_for_is_there():
    named = set(re.findall(r"""\bt\(\s*["']([a-z_.0-9 ]+)["']\s*[,)]""", SAID))
    assert len(named) > 100
    assert named - set(words()) == {"noun.key"}  # of the page on how pages are made


def test_no_word_is_left_over():
    used = {key for key in words() if key in WHOLE or any(key.startswith(begin) for begin in BEGUN)}
    assert set(words()) - used == set()


def test_every_event_has_words():
    code = "\n".join(path.read_text(encoding="utf-8") for path in WEB.parent.rglob("*.py"))
    happens = set(re.findall(r"""events\.append\(\s*[\w.]+,\s*[\w.]+,\s*["']([a-z_.]+)["']""", code))
    happens |= {f"{noun}.{end}" for noun in ("decision", "training") for end in ("failed", "dead")}
    assert len(happens) > 30
    assert {kind for kind in happens if not catalogue.has(f"event.{kind}")} == set()


def test_a_file_gives_each_key_once():
    for path in FOLDER.glob("*.json"):
        pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), path.name


def test_japanese_is_not_english():
    same = {key for key, said in words().items() if said["en"] == said["ja"]}
    assert same <= {"app.name", "nav.api", "docs.title"} | {
        k for k in same if not re.search("[a-z]{4}", str(words()[k]["en"]))
    }


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, None, "en"),
        (None, "ja", "ja"),
        (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        (None, "en;q=0.5, ja;q=0.7", "ja"),
        (None, "fr, de;q=0.9", "en"),
        (None, "ja;q=0", "en"),
        (None, "ja;q=nonsense, en", "en"),
        ("ja", "en", "ja"),
        ("xx", "ja", "ja"),
    ],
)
def test_the_language_is_what_was_chosen_else_what_the_browser_likes_best(cookie, accepted, language):
    assert chosen(cookie, accepted) == language


def test_one_and_several():
    assert text("en", "campaigns.lead", n=1) == "1 campaign, newest first"
    assert text("en", "campaigns.lead", n=3) == "3 campaigns, newest first"
    assert text("ja", "campaigns.lead", n=1) == "1 件（新しい順）"
    with pytest.raises(KeyError):
        text("en", "no.such.word")


def test_two_files_may_not_give_the_same_key(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"a.b": {"en": "x", "ja": "y"}}))
    monkeypatch.setattr(catalogue, "FOLDER", Path(tmp_path))
    with pytest.raises(ValueError, match=r"two\.json gives a\.b again"):
        words.__wrapped__()
