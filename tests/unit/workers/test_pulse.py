"""The sign of life of a worker, in processes that really hang."""

import subprocess
import sys
import textwrap


def ended(script: str) -> subprocess.CompletedProcess[str]:
    head = "import time\nfrom pathlib import Path\nfrom workers.pulse import Pulse\n"
    command = [sys.executable, "-c", head + textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_that_hangs_in_its_work_ends_and_says_where():
    found = ended(
        """
        def endless_fit():
            time.sleep(60)
        with Pulse(1.0).working():
            endless_fit()
        """
    )
    assert found.returncode == 1
    assert "Timeout" in found.stderr
    assert "endless_fit" in found.stderr


def test_progress_and_rest_are_no_silence():
    found = ended(
        """
        pulse = Pulse(1.0)
        with pulse.working():
            for _ in range(15):
                time.sleep(0.1)
                pulse.beat()
        pulse.beat()  # as when a decision is computed outside a worker
        time.sleep(1.5)
        print("rested")
        """
    )
    assert (found.returncode, found.stdout) == (0, "rested\n"), found.stderr


def test_the_file_is_there_while_work_goes_on_and_is_as_old_as_the_silence(tmp_path):
    found = ended(
        f"""
        file = Path({str(tmp_path / "worker-1.pulse")!r})
        pulse = Pulse(60.0, file)
        with pulse.working():
            print(file.exists())
        print(file.exists())
        pulse.beat()
        """
    )
    assert found.stdout == "True\nFalse\n"
