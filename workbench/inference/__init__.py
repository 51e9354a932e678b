"""Trained models at work on real pictures. No training code on this path."""
