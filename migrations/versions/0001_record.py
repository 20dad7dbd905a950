"""The record: campaigns, jobs, models, proposals and leases, films, measurements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    _campaigns()
    _decisions()
    _proposals()
    _films()
    _measurements()


def downgrade():
    raise NotImplementedError("there is nothing before the first version; restore a backup instead")


def _campaigns():
    op.create_table(
        "campaign",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("config_revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("decided_revision", sa.Integer(), nullable=True),
        sa.Column("exhausted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'active', 'paused', 'draining', 'completed', 'aborted')", name=op.f("ck_campaign_state")
        ),
        sa.CheckConstraint("decided_revision <= revision", name=op.f("ck_campaign_decided_revision")),
        sa.CheckConstraint("revision >= 0", name=op.f("ck_campaign_revision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_table(
        "campaign_config",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("queue_depth", sa.Integer(), nullable=False),
        sa.Column("budget_films", sa.Integer(), nullable=True),
        sa.Column("lease_ttl_s", sa.Integer(), nullable=False),
        sa.Column("lease_overdue_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("budget_films >= 0", name=op.f("ck_campaign_config_budget_films")),
        sa.CheckConstraint("lease_ttl_s > 0 AND lease_overdue_s > 0", name=op.f("ck_campaign_config_lease")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_campaign_config_number")),
        sa.CheckConstraint("queue_depth BETWEEN 1 AND 20", name=op.f("ck_campaign_config_queue_depth")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_config_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_campaign_config")),
    )
    op.create_table(
        "revision",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=True),
        sa.Column("snapshot_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("cause IN ('created', 'batch', 'as_made')", name=op.f("ck_revision_cause")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_revision_number")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_revision_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_revision")),
    )
    op.create_table(
        "event",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_event_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "seq", name=op.f("pk_event")),
    )
    op.create_table(
        "idempotency",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)


def _decisions():
    op.create_table(
        "job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("wanted_revision", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_after", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('decide')", name=op.f("ck_job_kind")),
        sa.CheckConstraint("state IN ('pending', 'leased', 'succeeded', 'failed', 'dead')", name=op.f("ck_job_state")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_job_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_campaign_id_id", "job", ["campaign_id", "id"], unique=False)
    op.create_index(
        "uq_job_one_leased", "job", ["campaign_id", "kind"], unique=True, postgresql_where=sa.text("state = 'leased'")
    )
    op.create_index(
        "uq_job_one_pending", "job", ["campaign_id", "kind"], unique=True, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_artifact_sha256")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_artifact")),
    )
    op.create_table(
        "model_version",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("artifact_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("snapshot_hash", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("versions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("posterior", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('surrogate', 'generator')", name=op.f("ck_model_version_kind")),
        sa.ForeignKeyConstraint(
            ["artifact_sha256"], ["artifact.sha256"], name=op.f("fk_model_version_artifact_sha256")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_model_version_campaign_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_model_version_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
    )
    op.create_index("ix_model_version_campaign_id_id", "model_version", ["campaign_id", "id"], unique=False)


def _proposals():
    op.create_table(
        "proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("model_version_id", sa.Text(), nullable=True),
        sa.Column("config_revision", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="ready", nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("film", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gain", sa.Double(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("alternatives", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source IN ('model', 'space_filling', 'random')", name=op.f("ck_proposal_source")),
        sa.CheckConstraint(
            "state IN ('ready', 'leased', 'running', 'overdue', 'made', 'measured', "
            "'failed', 'superseded', 'cancelled')",
            name=op.f("ck_proposal_state"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "config_revision"],
            ["campaign_config.campaign_id", "campaign_config.number"],
            name=op.f("fk_proposal_campaign_id_config_revision"),
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_proposal_campaign_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_proposal_job_id")),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name=op.f("fk_proposal_model_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index("ix_proposal_campaign_id_id", "proposal", ["campaign_id", "id"], unique=False)
    op.create_index("ix_proposal_campaign_id_state", "proposal", ["campaign_id", "state"], unique=False)
    op.create_index(
        "ix_proposal_ready",
        "proposal",
        ["campaign_id", sa.literal_column("revision DESC"), "rank", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "lease",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('live', 'completed', 'failed', 'released', 'expired', 'cancelled')", name=op.f("ck_lease_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_lease_campaign_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_lease_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_index(
        "ix_lease_live_expires_at", "lease", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'live'")
    )
    op.create_index(
        "uq_lease_one_per_proposal", "lease", ["proposal_id"], unique=True, postgresql_where=sa.text("state = 'live'")
    )
    op.create_index(
        "uq_lease_one_per_robot",
        "lease",
        ["campaign_id", "robot"],
        unique=True,
        postgresql_where=sa.text("state = 'live'"),
    )


def _films():
    op.create_table(
        "film",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("process", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('ok', 'partial', 'infeasible', 'equipment', 'operator')",
            name=op.f("ck_film_outcome"),
        ),
        sa.CheckConstraint("state IN ('running', 'made', 'measured', 'failed', 'overdue')", name=op.f("ck_film_state")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_film_campaign_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_film_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_film")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_film_proposal_id")),
    )
    op.create_index("ix_film_campaign_id_id", "film", ["campaign_id", "id"], unique=False)
    op.create_table(
        "composition_reading",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("film_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("position", sa.Double(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("composition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('nominal', 'as_made')", name=op.f("ck_composition_reading_kind")),
        sa.CheckConstraint("device >= 0", name=op.f("ck_composition_reading_device")),
        sa.ForeignKeyConstraint(["film_id"], ["film.id"], name=op.f("fk_composition_reading_film_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_composition_reading")),
        sa.UniqueConstraint(
            "film_id", "device", "kind", "revision", name=op.f("uq_composition_reading_film_id_device_kind_revision")
        ),
    )


def _measurements():
    op.create_table(
        "instrument",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_instrument_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument")),
        sa.UniqueConstraint("campaign_id", "name", name=op.f("uq_instrument_campaign_id_name")),
    )
    op.create_table(
        "measurement_batch",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_measurement_batch_campaign_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instrument.id"], name=op.f("fk_measurement_batch_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement_batch")),
    )
    op.create_index("ix_measurement_batch_campaign_id_id", "measurement_batch", ["campaign_id", "id"], unique=False)
    op.create_table(
        "measurement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("film_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("std_uncertainty", sa.Double(), nullable=True),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("retracted_revision", sa.Integer(), nullable=True),
        sa.Column("row_hash", sa.Text(), nullable=False),
        sa.CheckConstraint("(status = 'dead') = (value IS NULL)", name=op.f("ck_measurement_value")),
        sa.CheckConstraint("status IN ('ok', 'dead')", name=op.f("ck_measurement_status")),
        sa.CheckConstraint("device >= 0", name=op.f("ck_measurement_device")),
        sa.CheckConstraint("std_uncertainty > 0", name=op.f("ck_measurement_std_uncertainty")),
        sa.ForeignKeyConstraint(["batch_id"], ["measurement_batch.id"], name=op.f("fk_measurement_batch_id")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_measurement_campaign_id")),
        sa.ForeignKeyConstraint(["film_id"], ["film.id"], name=op.f("fk_measurement_film_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instrument.id"], name=op.f("fk_measurement_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
        sa.UniqueConstraint(
            "campaign_id", "instrument_id", "uid", name=op.f("uq_measurement_campaign_id_instrument_id_uid")
        ),
    )
    op.create_index("ix_measurement_campaign_id_revision", "measurement", ["campaign_id", "revision"], unique=False)
    op.create_index("ix_measurement_film_id_device", "measurement", ["film_id", "device"], unique=False)
