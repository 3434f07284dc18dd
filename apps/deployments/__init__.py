"""Serving: endpoints that answer with a registered model's predictions, the replicas behind them, and the log of what was predicted.

Nouns: endpoint (an address with a configuration), served version (one model version that an endpoint puts or put into traffic),
replica (one scorer guest of a served version), journal (predictions on this machine's disk until the inference table has them).
"""
