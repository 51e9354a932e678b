"""Display names of the aesthetic moods of Chinese painting that raters were asked about.

The English names are those of the source of the ratings; the Chinese ones are the closest terms of classical
criticism.
"""

MOODS: dict[str, dict[str, str]] = {
    "vitality": {
        "name_zh": "生机",
        "description": "Life and liveliness: birds, flowers and figures in motion, quick, fresh brushwork.",
    },
    "grandeur": {
        "name_zh": "雄浑",
        "description": "Vastness and power: towering mountains, deep distances, dense and forceful ink.",
    },
    "elegance": {
        "name_zh": "清雅",
        "description": "Refined grace: delicate lines, restrained colour, nothing too much.",
    },
    "serenity": {
        "name_zh": "静谧",
        "description": "Stillness and calm: quiet water, mist and open space, soft and even tones.",
    },
    "desolation": {
        "name_zh": "荒寒",
        "description": "Cold loneliness: bare trees, empty shores, sparse and dry strokes.",
    },
}


def describe_classes(names) -> tuple[dict[str, str], ...]:
    """Entries for a card's ``classes``, in the order of ``names``; an unknown class gets its name only."""
    return tuple({"name": name, **MOODS.get(name, {"name_zh": "", "description": ""})} for name in names)
