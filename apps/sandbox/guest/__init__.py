"""The only code of ours that runs inside a guest: standard library and Arrow, importing nothing else of ours."""
