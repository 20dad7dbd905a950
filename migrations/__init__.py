"""Migrations of the database: frozen, plain alembic operations that import nothing of ours."""
