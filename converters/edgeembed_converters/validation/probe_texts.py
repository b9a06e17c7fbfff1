"""The texts that conversions are proven on: of every length, script and kind."""

_SENTENCES = (
    "A man is playing a guitar on stage.",
    "Someone performs music in front of an audience.",
    "The cat sat on the windowsill and watched the rain.",
    "Stock markets fell sharply after the central bank raised interest rates.",
    "Shares dropped when borrowing costs went up.",
    "How do I reset my password?",
    "I forgot my login details and cannot get into my account.",
    "Return the first index at which a given element can be found in the list.",
    "def mean(values): return sum(values) / len(values)",
    "SELECT name, COUNT(*) FROM orders GROUP BY name HAVING COUNT(*) > 3;",
    "for (int i = 0; i < n; ++i) { total += a[i] * b[i]; }",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "Vaccination reduces the risk of severe disease in older adults.",
    "The treaty was signed in 1648 and ended thirty years of war.",
    "Preheat the oven to 180 degrees and butter a small baking dish.",
    "The spacecraft entered orbit around Mars after a seven-month journey.",
    "Das Wetter in Berlin ist heute regnerisch und kühl.",
    "Le chat dort sur le canapé près de la fenêtre ouverte.",
    "¿Dónde está la biblioteca más cercana?",
    "東京は日本の首都であり、世界最大の都市の一つです。",
    "今天天气很好,我们去公园散步吧。",
    "Москва — столица России, крупнейший город страны.",
    "القاهرة هي عاصمة جمهورية مصر العربية.",
    "नई दिल्ली भारत की राजधानी है।",
    "서울은 대한민국의 수도이다.",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
    "I love this 😍🎉 so much!!! 👩‍👩‍👧‍👦",
    "naïve café résumé coöperate Ångström",
    "Ünïcödé wïth cömbïnïng màrks: e\u0301 a\u030a o\u0308",
    "x",
    "?",
    "42",
    "3.14159 2.71828 1.41421 -0.57721 6.022e23",
    "https://example.org/a/b?c=d&e=f#g user@example.org",
    "ALL CAPITALS, then lower case, then CamelCaseIdentifiers and snake_case_names",
    "   leading and trailing white space   ",
    "tabs\tand\nnew lines\r\nand   runs  of    spaces",
    "\n\t  \u00a0\u2003 only a little text between white space \u3000",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "a" * 120,
    "The quick brown fox jumps over the lazy dog. " * 3,
)
_PARAGRAPH = (
    "The library was built on the old harbour wall, where the fishing boats used to land their "
    "catch before the river silted up. Its reading room looks out over the marsh, and on winter "
    "evenings the lamps are lit by four. Most visitors come for the maps: twelve thousand of them, "
    "drawn between the sixteenth century and the last war, of coasts that have moved since. "
)


def probe_texts(max_tokens: int) -> tuple[str, ...]:
    """Some fifty texts; the last few reach and exceed the model's `max_tokens`."""
    paragraphs = [_PARAGRAPH * count for count in (1, 2, 3)]
    full = [
        text + _PARAGRAPH * (max_tokens // 64 + 2) for text in ("", _SENTENCES[3], _SENTENCES[18])
    ]
    pairs = [f"{a} {b}" for a, b in zip(_SENTENCES[:8], _SENTENCES[11:19], strict=True)]
    return (*_SENTENCES, *pairs, *paragraphs, *full)
