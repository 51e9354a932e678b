"""What is measured: arrays or tensors in, numbers out. No files, no models by name."""
