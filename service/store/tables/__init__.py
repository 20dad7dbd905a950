"""Every table of the record. States are guarded by checks; one live thing of a kind by partial unique indices."""

from service.store.tables.attachments import ArrayRow, AttachmentRow
from service.store.tables.base import (
    CAMPAIGN_STATES,
    FILM_OUTCOMES,
    FILM_STATES,
    JOB_STATES,
    LEASE_STATES,
    OUTSTANDING,
    PROPOSAL_STATES,
    READING_STATES,
    REVISION_CAUSES,
    SOURCES,
    Base,
    table_of,
)
from service.store.tables.campaigns import CampaignConfigRow, CampaignRow, EventRow, IdempotencyRow, RevisionRow
from service.store.tables.decisions import ArtifactRow, DecisionRow, JobRow, ModelVersionRow, ProposalRow
from service.store.tables.films import CompositionReadingRow, FilmRow, LeaseRow
from service.store.tables.generations import GenerationRow
from service.store.tables.instruments import CalibrationRow, SampleRow
from service.store.tables.keys import AuditRow, GrantRow, KeyRow, WebSessionRow
from service.store.tables.measurements import InstrumentRow, MeasurementBatchRow, MeasurementRow
from service.store.tables.prior_data import PriorDataRow, PriorReadingRow, PriorWithdrawalRow
from service.store.tables.replays import ReplayRow
from service.store.tables.retractions import RetractedCompositionRow, RetractedReadingRow, RetractionRow

__all__ = [
    "CAMPAIGN_STATES",
    "FILM_OUTCOMES",
    "FILM_STATES",
    "JOB_STATES",
    "LEASE_STATES",
    "OUTSTANDING",
    "PROPOSAL_STATES",
    "READING_STATES",
    "REVISION_CAUSES",
    "SOURCES",
    "ArrayRow",
    "ArtifactRow",
    "AttachmentRow",
    "AuditRow",
    "Base",
    "CalibrationRow",
    "CampaignConfigRow",
    "CampaignRow",
    "CompositionReadingRow",
    "DecisionRow",
    "EventRow",
    "FilmRow",
    "GenerationRow",
    "GrantRow",
    "IdempotencyRow",
    "InstrumentRow",
    "JobRow",
    "KeyRow",
    "LeaseRow",
    "MeasurementBatchRow",
    "MeasurementRow",
    "ModelVersionRow",
    "PriorDataRow",
    "PriorReadingRow",
    "PriorWithdrawalRow",
    "ProposalRow",
    "ReplayRow",
    "RetractedCompositionRow",
    "RetractedReadingRow",
    "RetractionRow",
    "RevisionRow",
    "SampleRow",
    "WebSessionRow",
    "table_of",
]
