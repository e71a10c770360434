"""Exact constrained decoding."""
from .bitmask import allocate_token_bitmask, apply_token_bitmask_inplace, get_bitmask_shape, reset_token_bitmask
from .errors import UnreachableRuleWarning
