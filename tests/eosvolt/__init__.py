"""Tests of the EOSVOLT layer."""
