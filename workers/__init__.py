"""The hands: Celery tasks that read D_t, think with `models`, and write what they found. Thin by design."""
