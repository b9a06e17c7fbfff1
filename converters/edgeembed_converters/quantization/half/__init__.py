"""The parts of the fp16 recipe: what half precision cannot hold, conversion, emulation."""
