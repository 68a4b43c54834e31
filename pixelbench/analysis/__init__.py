"""Findings as data: tables, ablations, lessons, order and changes of a store, without any markup. No torch."""
