"""The anti-corruption layer: codecs, the facade, the demo bank's mappings and its simulated monolith."""
