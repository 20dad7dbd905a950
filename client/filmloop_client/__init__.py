"""Talk to Filmloop from a robot, an instrument or a notebook: typed answers, safe retries, nothing else to install."""

from filmloop_client.answers import (
    Batch,
    Calibration,
    Film,
    FilmDevice,
    ModelVersion,
    Pareto,
    Posterior,
    Predictions,
    Proposal,
    ProposedFilm,
    Recommendation,
    StopAdvice,
)
from filmloop_client.campaign import Campaign
from filmloop_client.client import Client
from filmloop_client.errors import (
    BadRequest,
    Conflict,
    FilmloopError,
    Invalid,
    KeyRefused,
    NotAllowed,
    NotFound,
    ServerFault,
    Stale,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from filmloop_client.history import History, Lineage, Replay
from filmloop_client.instrument import Instrument, Reading
from filmloop_client.keeping import Keeping
from filmloop_client.offline import OfflineInstrument
from filmloop_client.prior_data import PriorData, PriorRow
from filmloop_client.record import Record, Retraction, Sample, SampleReading
from filmloop_client.robot import Claim, Infeasible, Robot
from filmloop_client.spool import SetAside

__all__ = [
    "BadRequest",
    "Batch",
    "Calibration",
    "Campaign",
    "Claim",
    "Client",
    "Conflict",
    "Film",
    "FilmDevice",
    "FilmloopError",
    "History",
    "Infeasible",
    "Instrument",
    "Invalid",
    "Keeping",
    "KeyRefused",
    "Lineage",
    "ModelVersion",
    "NotAllowed",
    "NotFound",
    "OfflineInstrument",
    "Pareto",
    "Posterior",
    "Predictions",
    "PriorData",
    "PriorRow",
    "Proposal",
    "ProposedFilm",
    "Reading",
    "Recommendation",
    "Record",
    "Replay",
    "Retraction",
    "Robot",
    "Sample",
    "SampleReading",
    "ServerFault",
    "SetAside",
    "Stale",
    "StopAdvice",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "Unreachable",
]
