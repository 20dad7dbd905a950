"""What can go wrong in the science, and who may try again."""


class ScienceError(Exception):
    """Root of the science's errors. Never retried blindly: each subclass says who may."""


class InvalidComposition(ScienceError, ValueError):
    """A composition, film or search space breaks a rule. The caller must send another one."""


class InvalidDataset(ScienceError, ValueError):
    """Measurements do not form a dataset (shapes, NaN where a value is needed). The caller must mend the data."""


class NotEnoughData(ScienceError):
    """Too few distinct points to train on. Try again when more was measured; until then space-filling films serve."""


class FitFailed(ScienceError):
    """The likelihood had no usable optimum. The job runner may try again with another seed."""


class NoFeasibleFilm(ScienceError):
    """No film obeys every rule of the search space. The campaign's rules must change."""


class IncompatibleCheckpoint(ScienceError):
    """Stored bytes are damaged or of another format. Train again; do not retry the load."""
