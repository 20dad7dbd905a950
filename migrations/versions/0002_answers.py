"""What researchers ask: the history of decisions, insights of a model, pairs and cost of a proposal; rarer readings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    _readings()
    _answers()
    _decisions()


def downgrade():
    raise NotImplementedError("what was stored since would be lost; restore a backup instead")


def _readings():
    op.add_column("measurement", sa.Column("replicates", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_measurement_replicates"),
        "measurement",
        "replicates IS NULL OR replicates >= 2 AND std_uncertainty IS NOT NULL",
    )
    op.drop_constraint(op.f("ck_measurement_status"), "measurement", type_="check")
    op.create_check_constraint(
        op.f("ck_measurement_status"), "measurement", "status IN ('ok', 'dead', 'above_limit', 'below_limit')"
    )


def _answers():
    op.add_column(
        "model_version",
        sa.Column("insights", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
    op.add_column("proposal", sa.Column("cost", sa.Double(), nullable=True))
    op.add_column(
        "proposal",
        sa.Column(
            "pairs", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )


def _decisions():
    op.create_table(
        "decision",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("model_version_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("films", sa.Integer(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("expected_gain", sa.Double(), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("best_mean", sa.Double(), nullable=True),
        sa.Column("best_sd", sa.Double(), nullable=True),
        sa.Column("noise_sd", sa.Double(), nullable=True),
        sa.Column("film_effect_sd", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_decision_campaign_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_decision_job_id")),
        sa.ForeignKeyConstraint(["model_version_id"], ["model_version.id"], name=op.f("fk_decision_model_version_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_decision")),
    )
    op.create_index("ix_decision_campaign_id_revision", "decision", ["campaign_id", "revision"], unique=False)
