"""The files of the laptop's folder that are asked for: path, text, and questions of a person.

A third of the questions uses none of the text's own words, a third some, and a third is a name or a
number that has to be met exactly.
"""

ANSWERS = (
    (
        "Notes/Household/boiler.md",
        "# Boiler\n\nThe pressure gauge should read between 1.2 and 1.5 bar. If it drops below "
        "one, open the filling valve under the casing slowly until the needle is back in the "
        "green. Bleed the radiators upstairs afterwards.",
        ("the central heating has lost water, what do I do",),
    ),
    (
        "Notes/Household/wifi.md",
        "# Guest network\n\nVisitors use the network Magpie-Guest. The passphrase is on the "
        "sticker behind the hallway mirror. It is renewed every spring.",
        ("internet access for friends who stay over", "Magpie-Guest"),
    ),
    (
        "Notes/Household/paint.txt",
        "Living room wall: Dulux Heritage, shade DH 4417 'Pale Walnut', matt. Two tins left in the "
        "cellar, next to the ladder. Skirting boards are plain white satin.",
        ("which color did we use on the walls of the lounge", "DH 4417"),
    ),
    (
        "Notes/Health/allergy.md",
        "# Allergist, 14 March\n\nSkin prick test: strong reaction to birch and hazel pollen, weak "
        "to cat hair. Dr. Okafor recommends a nasal spray from February on, and to avoid raw "
        "apples.",
        ("what am I allergic to", "why should I not eat apples"),
    ),
    (
        "Notes/Health/running-plan.md",
        "# Half marathon in October\n\nThree runs a week: an easy one, one with intervals, and a "
        "long one on Sundays that grows by a kilometer each time. Rest for two days before the "
        "race.",
        ("training schedule for the 21 km race",),
    ),
    (
        "Notes/Travel/lisbon.md",
        "# Lisbon\n\nThe flat is in Rua da Bica 42, third floor, keys in the box by the door, code "
        "7719. Tram 28 stops around the corner. Dinner on Friday at eight with Marta.",
        ("where are we staying in Portugal", "Rua da Bica 42"),
    ),
    (
        "Notes/Travel/passport.txt",
        "Renew the passport before June: two photographs, the old document and the receipt of the "
        "fee. The town hall only takes people with an appointment.",
        ("what papers do I have to bring to get my travel document extended",),
    ),
    (
        "Notes/Garden/tomatoes.md",
        "# Tomatoes\n\nSow indoors in the middle of March. Plant out after the last frost, sixty "
        "centimeters apart. Pinch out side shoots every week and never wet the leaves: blight.",
        ("when do the seedlings go outside", "how far apart do tomatoes grow"),
    ),
    (
        "Notes/Garden/compost.txt",
        "The heap smells: too much grass, too little carbon. Mix in torn cardboard and dry leaves, "
        "turn it with the fork, cover it when it rains.",
        ("rotting kitchen waste stinks",),
    ),
    (
        "Notes/Books/to-read.md",
        "# To read\n\n- The Left Hand of Darkness, because of Jo\n- a history of salt\n- Invisible "
        "Cities, again\n- something about octopuses and their minds",
        ("novels somebody recommended to me",),
    ),
    (
        "Mail/2023/landlord-deposit.txt",
        "From: Petra Lindqvist\nSubject: Your deposit\n\nDear tenant, the 1,800 kronor held since "
        "you moved in were paid back today after deducting the broken window pane.",
        ("did I get my security money back from the flat",),
    ),
    (
        "Mail/2023/dentist.txt",
        "From: Praxis Dr. Hahn\nSubject: Reminder\n\nYour next check-up and cleaning is on Tuesday "
        "9 May at 8:40. Please cancel at least a day ahead, otherwise we charge 30 euros.",
        ("when do I have to have my teeth looked at",),
    ),
    (
        "Mail/2024/insurance-claim.txt",
        "From: claims@harbour-mutual.example\nSubject: Claim HM-88213-C\n\nWe have received the "
        "photographs of the water damage in your kitchen. An assessor will visit within ten days.",
        ("HM-88213-C", "who is coming to look at the flooded kitchen"),
    ),
    (
        "Mail/2024/school-trip.txt",
        "From: Class 4b\nSubject: Museum on Thursday\n\nThe children need a packed lunch, "
        "rain jackets and 6 euros for the entrance. The bus leaves at 8:15 sharp.",
        ("what should the kids take along on the excursion",),
    ),
    (
        "Mail/2024/job-offer.txt",
        "From: Recruiting, Tessellate Labs\nSubject: Offer\n\nWe would like you to join as a data "
        "engineer from 1 September. The salary is 71,000 a year, with thirty days of leave.",
        ("how much would the new employer pay", "Tessellate Labs"),
    ),
    (
        "Mail/2024/bike-stolen.txt",
        "From: City police, online desk\nSubject: Report 2024/5571\n\nYour report about the theft "
        "of a blue Koga with frame number KX90321 has been filed. Keep this for your insurer.",
        ("somebody took my bicycle", "KX90321"),
    ),
    (
        "Recipes/dal.md",
        "# Red lentil dal\n\nFry cumin, mustard seeds and a chopped onion, add turmeric, lentils "
        "and water, simmer for twenty minutes. Finish with lemon and coriander. Serve with rice.",
        ("Indian dish with pulses", "dal"),
    ),
    (
        "Recipes/sourdough.md",
        "# Bread with wild yeast\n\nFeed the starter the evening before. Mix 500 g of flour, 350 g "
        "of water and 10 g of salt, fold four times, prove overnight in the fridge, bake very hot "
        "in the iron pot, lid off for the last quarter of an hour.",
        ("how to bake a loaf without bought yeast",),
    ),
    (
        "Recipes/flourless-chocolate-cake.md",
        "# Flourless chocolate cake\n\nMelt 200 g of dark chocolate with as much butter. Whisk "
        "six eggs with sugar until pale, fold in ground almonds and the chocolate, bake for half "
        "an hour.",
        ("dessert for a guest who cannot have gluten",),
    ),
    (
        "Recipes/cold-soup.txt",
        "Gazpacho: ripe tomatoes, cucumber, green pepper, a clove of garlic, stale bread, sherry "
        "vinegar, olive oil. Blend, strain, chill for three hours.",
        ("something refreshing to spoon on a hot day",),
    ),
    (
        "Work/meetings/2024-03-12-pricing.md",
        "# Pricing\n\nPresent: Ana, Tom, Yusuf. We decided to drop the free tier in June and to "
        "offer students half price instead. Tom writes the announcement.",
        ("what happens to people who do not pay for our product",),
    ),
    (
        "Work/meetings/2024-04-02-outage.md",
        "# Post mortem\n\nThe disk of the primary database was full at 3:10 because old backups "
        "were never rotated. Fix: a weekly job deletes those older than thirty days. Owner: Yusuf.",
        ("why did the service go down in the night",),
    ),
    (
        "Work/onboarding.md",
        "# First week\n\nAsk Iris for a badge, install the VPN profile, read the style guide, pair "
        "with somebody on a small ticket. Lunch with the whole team is on Wednesday.",
        ("what does a new colleague do at the beginning",),
    ),
    (
        "Work/expenses-policy.txt",
        "Train tickets in second class, hotels up to 140 euros a night, meals by receipt. Hand in "
        "the form within a month after the journey, or it is not reimbursed.",
        ("how much may a hotel room cost on a business journey",),
    ),
    (
        "Work/logs/app-2024-05-17.log",
        "2024-05-17 02:11:09 INFO worker started\n2024-05-17 02:14:51 ERROR E4172 checksum "
        "mismatch in chunk 88 of upload 5f1c, retrying\n2024-05-17 02:15:20 INFO upload complete",
        ("E4172",),
    ),
    (
        "Work/logs/nginx-2024-06-01.log",
        '10.0.0.7 - - [01/Jun/2024:10:02:11] "GET /reports/q2 HTTP/1.1" 502 157\n10.0.0.7 - - '
        '[01/Jun/2024:10:02:14] "GET /reports/q2 HTTP/1.1" 502 157 upstream prematurely closed',
        ("502 upstream prematurely closed",),
    ),
    (
        "Projects/birdcam/README.md",
        "# birdcam\n\nA small camera at the nest box takes a picture when something moves, and a "
        "script sorts the pictures by species. Needs a Raspberry Pi and the camera module.",
        ("software that photographs animals in the garden",),
    ),
    (
        "Projects/birdcam/motion.py",
        "def has_moved(before, after, threshold=12.0):\n"
        '    """Whether two frames differ by more than noise."""\n'
        "    return abs(before.astype(float) - after).mean() > threshold\n",
        ("function that compares two frames of the camera", "has_moved"),
    ),
    (
        "Projects/ledger/import_bank.py",
        "import csv\n\n\ndef read_statement(path):\n"
        '    """Yield the bookings of a bank statement, oldest first, amounts in cents."""\n'
        "    with open(path, newline='') as stream:\n"
        "        for row in csv.DictReader(stream, delimiter=';'):\n"
        "            yield row['date'], row['payee'], round(float(row['amount']) * 100)\n",
        ("code that loads transactions of my account", "read_statement"),
    ),
    (
        "Projects/ledger/backup.sh",
        "#!/bin/sh\n# Copies the ledger to the external drive and keeps seven generations.\n"
        "set -eu\nrsync -a --delete ledger/ /mnt/external/ledger.$(date +%u)/\n",
        ("script that saves everything to the usb disk",),
    ),
    (
        "Data/energy-2023.csv",
        "month,gas_kwh,electricity_kwh,cost_eur\nJanuary,1890,310,271.40\nFebruary,1610,290,240.10\n"
        "March,1220,285,198.75\nApril,700,260,141.20\n",
        ("how much power and gas did we use last winter",),
    ),
    (
        "Data/birthdays.csv",
        "name,date,idea\nGrandma,3 April,orchid\nLeo,19 July,climbing shoes\nMarta,2 November,"
        "ceramics course\nUncle Ben,28 December,whisky\n",
        ("present for Leo", "when was grandmother born"),
    ),
)  # fmt: skip
