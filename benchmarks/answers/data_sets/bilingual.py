"""Questions in English, Spanish and German over passages in another of these languages.

Made from templates: every passage is one fact of one product in one language, so that the right
answer has neighbors that differ in the product or in the fact alone.
"""

from benchmarks.answers.data_sets.data_set import DataSet, passage

LANGUAGES = ("en", "es", "de")
# Nominative with article, so that the templates need no other form.
_PRODUCTS = (
    ("the washing machine", "la lavadora", "die Waschmaschine"),
    ("the coffee machine", "la cafetera", "die Kaffeemaschine"),
    ("the refrigerator", "el frigorífico", "der Kühlschrank"),
    ("the vacuum cleaner", "la aspiradora", "der Staubsauger"),
    ("the bicycle", "la bicicleta", "das Fahrrad"),
    ("the camera", "la cámara", "die Kamera"),
    ("the heater", "el calefactor", "das Heizgerät"),
    ("the tent", "la tienda de campaña", "das Zelt"),
    ("the sewing machine", "la máquina de coser", "die Nähmaschine"),
    ("the lawn mower", "el cortacésped", "der Rasenmäher"),
    ("the printer", "la impresora", "der Drucker"),
    ("the umbrella", "el paraguas", "der Regenschirm"),
    ("the piano", "el piano", "das Klavier"),
    ("the mattress", "el colchón", "die Matratze"),
    ("the microscope", "el microscopio", "das Mikroskop"),
)
# (question, answer) in the order of LANGUAGES.
_FACTS = (
    (
        ("How long does the guarantee last: {}?", "{} is covered by a warranty of three years."),
        ("¿Cuánto dura la garantía: {}?", "{} tiene una garantía de tres años."),
        ("Wie lange gilt die Gewährleistung: {}?", "{} hat drei Jahre Gewährleistung."),
    ),
    (
        ("What does it cost: {}?", "{} is sold for 249 euros, tax included."),
        ("¿Qué precio tiene: {}?", "{} se vende por 249 euros, impuestos incluidos."),
        ("Was kostet das: {}?", "{} wird für 249 Euro verkauft, inklusive Steuern."),
    ),
    (
        ("How heavy is it: {}?", "{} weighs eleven kilograms without its packaging."),
        ("¿Cuánto pesa: {}?", "{} pesa once kilogramos sin el embalaje."),
        ("Wie schwer ist das: {}?", "{} wiegt elf Kilogramm ohne Verpackung."),
    ),
    (
        ("How do I clean it: {}?", "{} is wiped with a damp cloth and mild soap once a month."),
        (
            "¿Cómo se limpia: {}?",
            "{} se limpia una vez al mes con un paño húmedo y jabón suave.",
        ),
        (
            "Wie reinige ich das: {}?",
            "{} wird einmal im Monat mit einem feuchten Tuch und milder Seife abgewischt.",
        ),
    ),
    (
        ("When will it arrive: {}?", "{} is delivered to your door within two working days."),
        ("¿Cuándo llega a casa: {}?", "{} se entrega a domicilio en dos días laborables."),
        (
            "Wann wird das geliefert: {}?",
            "{} wird innerhalb von zwei Werktagen nach Hause gebracht.",
        ),
    ),
    (
        ("Can I send it back: {}?", "{} may be returned within thirty days for a full refund."),
        (
            "¿Puedo devolver el producto: {}?",
            "{} se puede devolver en treinta días y se reembolsa todo el importe.",
        ),
        (
            "Kann ich das zurückgeben: {}?",
            "{} kann binnen dreißig Tagen zurückgeschickt werden, der Betrag wird erstattet.",
        ),
    ),
    (
        ("Which colors are there: {}?", "{} comes in red, dark green and white."),
        ("¿En qué colores existe: {}?", "{} está disponible en rojo, verde oscuro y blanco."),
        ("Welche Farben gibt es: {}?", "{} ist in Rot, Dunkelgrün und Weiß erhältlich."),
    ),
    (
        ("Where is it made: {}?", "{} is manufactured in a factory in northern Portugal."),
        ("¿Dónde se fabrica: {}?", "{} se produce en una fábrica del norte de Portugal."),
        ("Wo wird das hergestellt: {}?", "{} wird in einer Fabrik in Nordportugal gefertigt."),
    ),
    (
        ("Who repairs it: {}?", "{} is repaired by our workshop; call ahead for an appointment."),
        ("¿Quién lo repara: {}?", "{} se arregla en nuestro taller; pida cita por teléfono."),
        (
            "Wer repariert das: {}?",
            "{} wird in unserer Werkstatt instand gesetzt; bitte vorher einen Termin vereinbaren.",
        ),
    ),
    (
        ("How do I throw it away: {}?", "{} must be taken to a recycling center at its end."),
        ("¿Cómo se desecha: {}?", "{} debe llevarse a un punto de reciclaje al final de su vida."),
        ("Wie entsorge ich das: {}?", "{} gehört zum Schluss auf den Wertstoffhof."),
    ),
)


def bilingual(*, crossing: bool = True) -> DataSet:
    """150 passages in three languages; 50 questions, each in another language than its answer.

    Without `crossing`, each is in the language of its answer.
    """
    documents, queries, gains = [], {}, {}
    for p, product in enumerate(_PRODUCTS):
        for f, fact in enumerate(_FACTS):
            told = (p + f) % len(LANGUAGES)
            asked = (told + 1 + f % 2) % len(LANGUAGES) if crossing else told
            key = f"{LANGUAGES[told]}-{p}-{f}"
            answer = fact[told][1].format(product[told])
            documents.append(passage(key, answer[0].upper() + answer[1:]))
            if p % 3 == f % 3:  # a third of the facts, in all pairs of languages
                query = f"{LANGUAGES[asked]} to {key}"
                queries[query] = fact[asked][0].format(product[asked])
                gains[query] = {key: 1.0}
    return DataSet(
        name="three languages" if crossing else "three languages, each by itself",
        kind="passages",
        documents=tuple(documents),
        queries=queries,
        gains=gains,
        multilingual=True,
    )
