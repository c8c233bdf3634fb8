"""Bytes into typed events: sessions, attempts, dialects, transport. Never imports a screen."""
