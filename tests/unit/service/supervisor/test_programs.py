"""Workers are named so that two installations on one database do not take each other's for their own."""

from service.settings import Settings
from service.supervisor import programs


def test_a_worker_keeps_its_name_over_a_restart_and_shares_it_with_no_other_data_directory(tmp_path):
    here, there = Settings(data_dir=tmp_path / "a"), Settings(data_dir=tmp_path / "b")
    assert programs.hostname(here, "worker-1") == programs.hostname(here, "worker-1")
    assert programs.hostname(here, "worker-1") != programs.hostname(there, "worker-1")
    assert programs.hostname(here, "worker-1").startswith("worker-1-")
