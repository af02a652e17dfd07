"""Conformance suites, made media and fakes for tests; no package imports it."""
