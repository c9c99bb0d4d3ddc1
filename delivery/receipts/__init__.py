"""Receipts: how far a push came on the phone, as the phone reports it."""
