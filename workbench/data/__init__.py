"""Pictures in: reading them safely, folders and tables of paintings, scenes, splits, transforms."""
