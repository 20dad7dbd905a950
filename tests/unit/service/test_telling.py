"""What is told on the way stands on the one line that is written at the end, also if a thread told it."""

import contextvars
import threading

from service.telemetry import tell, told


def test_what_is_told_inside_is_collected_also_from_threads():
    with told() as said:
        tell(job_id="job_1")
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(tell, job_id="job_2"))
        thread.start()
        thread.join()
    assert said == {"job_id": "job_2"}


def test_outside_nobody_listens():
    tell(job_id="job_1")
    with told() as said:
        pass
    assert said == {}
