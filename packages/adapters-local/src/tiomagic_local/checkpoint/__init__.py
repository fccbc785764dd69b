"""Files of weights: what their headers say, before and while their tensors are read."""
