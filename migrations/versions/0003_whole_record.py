"""The record whole: readings as instruments deliver them; retractions, calibrations, samples; a campaign's life."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    _readings_as_delivered()
    _retractions_and_instruments()
    _campaign_life()
    _provenance()


def downgrade():
    raise NotImplementedError("what was stored since would be lost; restore a backup instead")


def _readings_as_delivered():
    op.add_column("measurement", sa.Column("raw_unit", sa.Text(), nullable=True))
    op.add_column("measurement", sa.Column("raw_value", sa.Double(), nullable=True))
    op.add_column("measurement", sa.Column("raw_std_uncertainty", sa.Double(), nullable=True))
    op.create_check_constraint(
        op.f("ck_measurement_raw"),
        "measurement",
        "raw_unit IS NOT NULL OR raw_value IS NULL AND raw_std_uncertainty IS NULL",
    )
    op.add_column("measurement_batch", sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False))
    _compositions_as_measured()
    _attachments()


def _compositions_as_measured():
    for name in ("std_uncertainty", "delivered"):
        column = sa.Column(name, postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
        op.add_column("composition_reading", column)
    for name in ("instrument_id", "batch_id"):
        op.add_column("composition_reading", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("composition_reading", sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_composition_reading_instrument_id"), "composition_reading", "instrument", ["instrument_id"], ["id"]
    )
    op.drop_constraint(op.f("ck_composition_reading_kind"), "composition_reading", type_="check")
    op.create_check_constraint(
        op.f("ck_composition_reading_kind"), "composition_reading", "kind IN ('nominal', 'as_made', 'measured')"
    )
    op.create_check_constraint(
        op.f("ck_composition_reading_instrument"),
        "composition_reading",
        "(kind = 'measured') = (instrument_id IS NOT NULL)",
    )


def _attachments():
    op.create_table(
        "array",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("dtype IN ('float32', 'float64')", name=op.f("ck_array_dtype")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_array_sha256")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_array")),
    )
    op.create_table(
        "attachment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("film_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=True),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("axes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("array_sha256", sa.Text(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("device >= 0", name=op.f("ck_attachment_device")),
        sa.ForeignKeyConstraint(["array_sha256"], ["array.sha256"], name=op.f("fk_attachment_array_sha256")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_attachment_campaign_id")),
        sa.ForeignKeyConstraint(["film_id"], ["film.id"], name=op.f("fk_attachment_film_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instrument.id"], name=op.f("fk_attachment_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("campaign_id", "content_hash", name=op.f("uq_attachment_campaign_id_content_hash")),
    )
    op.create_index("ix_attachment_campaign_id_id", "attachment", ["campaign_id", "id"], unique=False)
    op.create_index("ix_attachment_film_id_id", "attachment", ["film_id", "id"], unique=False)


def _retractions_and_instruments():
    _instruments()
    _retractions()


def _instruments():
    for name in ("kind", "owner", "notes"):
        op.add_column("instrument", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "calibration",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("property", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_calibration_window")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_calibration_campaign_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instrument.id"], name=op.f("fk_calibration_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_index("ix_calibration_instrument_id_id", "calibration", ["instrument_id", "id"], unique=False)
    op.create_table(
        "sample",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("assigned_value", sa.Double(), nullable=True),
        sa.Column("std_uncertainty", sa.Double(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("std_uncertainty > 0", name=op.f("ck_sample_std_uncertainty")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_sample_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample")),
        sa.UniqueConstraint("campaign_id", "name", name=op.f("uq_sample_campaign_id_name")),
    )
    op.create_index("ix_sample_campaign_id_id", "sample", ["campaign_id", "id"], unique=False)
    op.add_column("measurement", sa.Column("sample_id", sa.Text(), nullable=True))
    op.add_column("measurement", sa.Column("calibration_id", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_measurement_sample_id"), "measurement", "sample", ["sample_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_measurement_calibration_id"), "measurement", "calibration", ["calibration_id"], ["id"]
    )
    op.alter_column("measurement", "film_id", nullable=True)
    op.alter_column("measurement", "device", nullable=True)
    op.create_check_constraint(op.f("ck_measurement_film"), "measurement", "(film_id IS NULL) = (device IS NULL)")
    op.create_check_constraint(op.f("ck_measurement_sample"), "measurement", "(film_id IS NULL) <> (sample_id IS NULL)")
    op.create_index(
        "ix_measurement_sample_id",
        "measurement",
        ["sample_id"],
        unique=False,
        postgresql_where=sa.text("sample_id IS NOT NULL"),
    )


def _retractions():
    # Nothing ever wrote this column: no version before had a call that retracts.
    op.drop_column("measurement", "retracted_revision")
    op.drop_constraint(op.f("ck_revision_cause"), "revision", type_="check")
    op.create_check_constraint(
        op.f("ck_revision_cause"),
        "revision",
        "cause IN ('created', 'batch', 'as_made', 'composition', 'retraction', 'reversal')",
    )
    op.create_table(
        "retraction",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("what", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("also_later", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reversed_revision", sa.Integer(), nullable=True),
        sa.Column("reversal_reason", sa.Text(), nullable=True),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reversed_revision > revision", name=op.f("ck_retraction_reversed_revision")),
        sa.CheckConstraint(
            "(reversed_revision IS NULL) = (reversal_reason IS NULL)", name=op.f("ck_retraction_reversal")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_retraction_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraction")),
    )
    op.create_index("ix_retraction_campaign_id_id", "retraction", ["campaign_id", "id"], unique=False)
    op.create_table(
        "retracted_reading",
        sa.Column("retraction_id", sa.Text(), nullable=False),
        sa.Column("measurement_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("retraction_id", "measurement_id", name=op.f("pk_retracted_reading")),
    )
    op.create_index(op.f("ix_retracted_reading_measurement_id"), "retracted_reading", ["measurement_id"], unique=False)
    op.create_table(
        "retracted_composition",
        sa.Column("retraction_id", sa.Text(), nullable=False),
        sa.Column("composition_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["retraction_id"], ["retraction.id"], name=op.f("fk_retracted_composition_retraction_id")
        ),
        sa.ForeignKeyConstraint(
            ["composition_id"], ["composition_reading.id"], name=op.f("fk_retracted_composition_composition_id")
        ),
        sa.PrimaryKeyConstraint("retraction_id", "composition_id", name=op.f("pk_retracted_composition")),
    )
    op.create_index(
        op.f("ix_retracted_composition_composition_id"), "retracted_composition", ["composition_id"], unique=False
    )


def _campaign_life():
    op.add_column("campaign_config", sa.Column("budget_devices", sa.Integer(), nullable=True))
    op.add_column("campaign_config", sa.Column("budget_hours", sa.Double(), nullable=True))
    op.create_check_constraint(op.f("ck_campaign_config_budget_devices"), "campaign_config", "budget_devices >= 0")
    op.create_check_constraint(op.f("ck_campaign_config_budget_hours"), "campaign_config", "budget_hours >= 0")
    # No campaign of a version before had more than one configuration.
    op.add_column(
        "model_version", sa.Column("config_revision", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("proposal", sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.alter_column("proposal", "job_id", nullable=True)
    op.drop_constraint(op.f("ck_proposal_source"), "proposal", type_="check")
    op.create_check_constraint(
        op.f("ck_proposal_source"), "proposal", "source IN ('model', 'space_filling', 'random', 'person')"
    )
    op.drop_index("ix_proposal_ready", table_name="proposal")
    op.create_index(
        "ix_proposal_ready",
        "proposal",
        [
            "campaign_id",
            sa.literal_column("priority DESC"),
            sa.literal_column("revision DESC"),
            "rank",
            "id",
        ],
        unique=False,
        postgresql_where=sa.text("state = 'ready'"),
    )


def _provenance():
    op.add_column("model_version", sa.Column("started_from_id", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_model_version_started_from_id"), "model_version", "model_version", ["started_from_id"], ["id"]
    )
    op.add_column(
        "decision", sa.Column("inputs", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.create_table(
        "replay",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_after", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("report", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'leased', 'succeeded', 'dead')", name=op.f("ck_replay_state")),
        sa.CheckConstraint(
            "verdict IS NULL OR verdict IN ('identical', 'within_tolerance', 'differs')", name=op.f("ck_replay_verdict")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_replay_campaign_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_replay_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay")),
    )
    op.create_index("ix_replay_proposal_id_id", "replay", ["proposal_id", "id"], unique=False)
    op.create_index(
        "ix_replay_waiting",
        "replay",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'leased')"),
    )
