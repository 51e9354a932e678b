"""Published stylization networks, re-implemented from their papers for comparison. No weights are shipped."""
