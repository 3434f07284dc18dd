# The short names of manage.py's verbs. Any Python starts it; it finds or makes its own environment.
PYTHON ?= python3

.PHONY: up demo test down status logs doctor dev bench bench-peers

up demo test down status logs doctor dev:
	@$(PYTHON) manage.py $@

bench bench-peers:
	@$(PYTHON) manage.py $@
