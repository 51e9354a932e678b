"""What is drawn without learning: teachers, classical filters, the geometry of faces."""
