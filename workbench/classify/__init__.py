"""Estimators of mood: fit, predict, cross-validate, calibrate."""
