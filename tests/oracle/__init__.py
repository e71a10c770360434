"""A slow, obvious recogniser that shares no code with the engine."""
