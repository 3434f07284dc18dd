# The short names of manage.py's verbs. Any Python starts it; it finds or makes its own environment.
PYTHON ?= python3

.PHONY: up demo test down status logs doctor dev bench bench-peers approve

up demo test down status logs doctor dev:
	@$(PYTHON) manage.py $@

bench bench-peers:
	@$(PYTHON) manage.py $@

# After looking at a page that changed: what it looks like now is what it should look like.
approve:
	@BOATHOUSE_APPROVE_SHOTS=1 $(PYTHON) manage.py test tests/e2e/test_shots.py
