"""Trusted connections to gateways, whatever is spoken over them."""
