"""The project's studies: each module answers one question with runs whose rows land in one CSV."""
