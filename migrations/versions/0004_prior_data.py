"""Prior data from other campaigns and from files; campaigns that are clones of others."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "campaign",
        sa.Column("cloned_from", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
    op.drop_constraint(op.f("ck_revision_cause"), "revision", type_="check")
    op.create_check_constraint(
        op.f("ck_revision_cause"),
        "revision",
        "cause IN ('created', 'batch', 'as_made', 'composition', 'retraction', 'reversal', 'prior_data', "
        "'prior_withdrawal', 'prior_reinstatement')",
    )
    op.create_table(
        "prior_data",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("left_out", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('campaign', 'file')", name=op.f("ck_prior_data_kind")),
        sa.CheckConstraint("rows >= 1", name=op.f("ck_prior_data_rows")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_prior_data_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prior_data")),
    )
    op.create_index("ix_prior_data_campaign_id_id", "prior_data", ["campaign_id", "id"], unique=False)
    _readings()
    _withdrawals()


def downgrade():
    raise NotImplementedError("what was stored since would be lost; restore a backup instead")


def _readings():
    op.create_table(
        "prior_reading",
        sa.Column("prior_data_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("property", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("std_uncertainty", sa.Double(), nullable=True),
        sa.Column("replicates", sa.Integer(), nullable=True),
        sa.Column("raw_property", sa.Text(), nullable=True),
        sa.Column("raw_unit", sa.Text(), nullable=True),
        sa.Column("raw_value", sa.Double(), nullable=True),
        sa.Column("raw_std_uncertainty", sa.Double(), nullable=True),
        sa.Column("composition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("process", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("film", sa.Text(), nullable=True),
        sa.Column("position", sa.Double(), nullable=True),
        sa.Column("row_hash", sa.Text(), nullable=False),
        sa.CheckConstraint("status IN ('ok', 'above_limit', 'below_limit')", name=op.f("ck_prior_reading_status")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_prior_reading_number")),
        sa.CheckConstraint("std_uncertainty > 0", name=op.f("ck_prior_reading_std_uncertainty")),
        sa.CheckConstraint(
            "replicates IS NULL OR replicates >= 2 AND std_uncertainty IS NOT NULL",
            name=op.f("ck_prior_reading_replicates"),
        ),
        sa.CheckConstraint(
            "raw_unit IS NOT NULL OR raw_value IS NULL AND raw_std_uncertainty IS NULL",
            name=op.f("ck_prior_reading_raw"),
        ),
        sa.CheckConstraint("position BETWEEN 0 AND 1", name=op.f("ck_prior_reading_position")),
        sa.ForeignKeyConstraint(["prior_data_id"], ["prior_data.id"], name=op.f("fk_prior_reading_prior_data_id")),
        sa.PrimaryKeyConstraint("prior_data_id", "number", name=op.f("pk_prior_reading")),
    )


def _withdrawals():
    op.create_table(
        "prior_withdrawal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prior_data_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("ended_revision", sa.Integer(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("ended_revision > revision", name=op.f("ck_prior_withdrawal_ended_revision")),
        sa.CheckConstraint(
            "(ended_revision IS NULL) = (end_reason IS NULL)", name=op.f("ck_prior_withdrawal_end_reason")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_prior_withdrawal_campaign_id")),
        sa.ForeignKeyConstraint(["prior_data_id"], ["prior_data.id"], name=op.f("fk_prior_withdrawal_prior_data_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prior_withdrawal")),
    )
    op.create_index("ix_prior_withdrawal_campaign_id", "prior_withdrawal", ["campaign_id"], unique=False)
    op.create_index(
        "ix_prior_withdrawal_standing",
        "prior_withdrawal",
        ["prior_data_id"],
        unique=True,
        postgresql_where=sa.text("ended_revision IS NULL"),
    )
