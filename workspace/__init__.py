"""Wiring: settings, routes, processes. No product rules live here, and no room imports it."""
