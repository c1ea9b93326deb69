"""Bottleneck adapters: small modules on the blocks of an encoder, which stay beside its weights."""
