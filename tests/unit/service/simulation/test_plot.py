import struct

import numpy as np
import pytest

from service.simulation.lab import Lab
from service.simulation.plot import draw
from service.simulation.progress import Belief, FilmRecord, Progress
from service.simulation.wafer import Wafer, from_plane

WAFER = Wafer.load()
LAB = Lab(WAFER, seed=2, dead_share=0.2)


def explored(films):
    progress = Progress(WAFER)
    rng = np.random.default_rng(0)
    for number in range(1, films + 1):
        ends = from_plane(rng.dirichlet(np.full(len(WAFER.hull), 0.3), 2) @ WAFER.hull)
        share = np.linspace(0, 1, 5)[:, None]
        made = LAB.make(number, (1 - share) * ends[0] + share * ends[1])
        progress.add(FilmRecord(number, ends, made, LAB.read(number, made), "random", 0.1))
    return progress


def believed(points=60):
    compositions = WAFER.compositions[:: len(WAFER.values) // points]
    values = WAFER.truth(compositions)
    return Belief(compositions, values, np.full(len(values), 0.5), WAFER.best_composition, 10.0, 0.5)


def size(path):
    """Width and height as a PNG's own header states them."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


@pytest.mark.parametrize("films", [1, 30])
@pytest.mark.parametrize("belief", [None, believed()], ids=["no model", "model"])
def test_the_picture_is_drawn_without_a_warning(tmp_path, films, belief):
    draw(tmp_path / "demo.png", explored(films), belief, title="A title")
    width, height = size(tmp_path / "demo.png")
    assert width > 1500
    assert height > 900


def test_a_flat_belief_is_no_reason_to_fail(tmp_path):
    flat = believed()
    flat = Belief(flat.points, np.zeros(len(flat.points)), flat.sd, flat.best, 0.0, 0.5)
    draw(tmp_path / "flat.png", explored(2), flat, title="Flat")
    assert size(tmp_path / "flat.png")[0] > 1500


def test_the_same_demo_gives_the_same_picture(tmp_path):
    for name in ("one.png", "two.png"):
        draw(tmp_path / name, explored(3), believed(), title="Same")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
