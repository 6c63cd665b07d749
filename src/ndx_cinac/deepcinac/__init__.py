"""What DeepCINAC did, exactly: outlines, windows, patches, and the parts of its predictor's interface."""
