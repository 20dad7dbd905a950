"""Artifacts are whole or not there, and damage is found when they are read."""

import hashlib
import threading

import pytest

from service.errors import ArtifactDamaged
from service.store.artifacts import load, store

DATA = bytes(range(256)) * 100


def path_of(folder, artifact):
    return folder / artifact.sha256[:2] / artifact.sha256


def test_what_was_stored_is_read_back(tmp_path):
    artifact = store(tmp_path / "artifacts", DATA)
    assert (artifact.sha256, artifact.size) == (hashlib.sha256(DATA).hexdigest(), 25_600)
    assert load(tmp_path / "artifacts", artifact.sha256) == DATA


def test_equal_bytes_are_one_file(tmp_path):
    artifact = store(tmp_path, DATA)
    written = path_of(tmp_path, artifact).stat().st_ino
    assert store(tmp_path, DATA) == artifact
    assert path_of(tmp_path, artifact).stat().st_ino == written


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA[:100] + b"\xff" + DATA[101:], DATA + b"\x00"])
def test_damage_is_refused_and_mended_by_storing_again(tmp_path, damage):
    artifact = store(tmp_path, DATA)
    path_of(tmp_path, artifact).write_bytes(damage)
    with pytest.raises(ArtifactDamaged, match=artifact.sha256):
        load(tmp_path, artifact.sha256)
    store(tmp_path, DATA)
    assert load(tmp_path, artifact.sha256) == DATA


def test_a_missing_artifact_is_named(tmp_path):
    with pytest.raises(ArtifactDamaged, match="is missing"):
        load(tmp_path, "0" * 64)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store(tmp_path, DATA)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_many_writers_of_the_same_bytes_agree(tmp_path):
    threads = [threading.Thread(target=store, args=(tmp_path, DATA)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1
    assert load(tmp_path, hashlib.sha256(DATA).hexdigest()) == DATA
