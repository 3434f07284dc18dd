"""The flight-delay story: real data from a git commit to a served, logged prediction, told by `make demo`.

`story` prepares and starts; `client/` is what runs outside, in an environment of its own, with nothing but the public API and the
unmodified clients; `repository/` is the training code that the story pushes.
"""
