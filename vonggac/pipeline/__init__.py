"""The machinery between the shelves: what reads inputs, runs detectors over them and counts what happened."""
