"""Pair builders."""
