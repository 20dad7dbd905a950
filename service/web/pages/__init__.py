"""The pages, one module per noun; `service/web/mounting.py` names each."""
