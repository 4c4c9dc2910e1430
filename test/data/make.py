"""Makes the data set in this folder: see README.md for how to run it.

Items are Debian packages with their descriptions; customers, their notes and
their orders are invented here. Every text is embedded by all-MiniLM-L6-v2. The
same package index makes the same files, byte for byte.
"""

import gzip
import hashlib
import io
import json
import pathlib
import random
import re
import subprocess
import tempfile

import numpy as np

from minilm import MiniLM

HERE = pathlib.Path(__file__).parent
SUITE = "bookworm"
ITEMS, CUSTOMERS, ORDERS = 2000, 300, 1200

# The mirror's line of an apt source list; the signature is checked by apt.
SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {} main\n"

# What is no text about a thing of its own: parts and translations of others.
NOT_ITSELF = re.compile(r"-(dev|doc|docs|dbg|dbgsym|data|common|l10n|headers|udeb)$|-l10n-|-help-|^task-|^linux-|^firmware-|^gcc-|^lib.*-(java|perl)$|^(hunspell|aspell|hyphen|mythes)-")
BORING_SECTIONS = {"oldlibs", "debian-installer", "metapackages", "localization", "introspection", "debug", "translations"}

QUERIES = [
    "edit photos and retouch images",
    "keep an encrypted backup of my home directory in the cloud",
    "play chess against the computer",
    "convert video files from one format to another",
    "monitor the health of many servers and send alerts",
    "a programming language for statistics",
    "draw the structure of molecules",
    "block spam in incoming mail",
    "watch the night sky, planetarium",
    "edit DNA sequences and align genomes",
    "a terminal program to read RSS news feeds",
    "make music with a software synthesizer",
    "relational database server",
    "find duplicate files and free disk space",
    "typeset a scientific paper with formulas",
    "crack passwords to test how strong they are",
    "control a telescope or camera for astrophotography",
    "reverse proxy and load balancer for web sites",
    "learn to type faster",
    "simulate electronic circuits",
    "route planning with offline maps",
    "read electronic books on a tablet",
]


def paragraphs(text):
    """The records of a Debian control file as dictionaries."""
    for block in text.split("\n\n"):
        record, key = {}, None
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if key:
                    record[key] += "\n" + line[1:]
            elif ":" in line:
                key, value = line.split(":", 1)
                record[key] = value.strip()
        if record:
            yield record


def package_index():
    """Packages and English descriptions of SUITE, by an apt that owns a temporary root."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for folder in ("lists/partial", "archives/partial"):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(SOURCE.format(SUITE))
        options = {
            "Dir::Etc::SourceList": root / "sources.list", "Dir::Etc::SourceParts": "/dev/null", "Dir::Etc::Parts": "/dev/null",
            "Dir::State": root, "Dir::State::status": root / "status", "Dir::Cache": root,
            "Acquire::Languages": "en", "APT::Architecture": "amd64", "APT::Architectures": "amd64", "APT::Sandbox::User": "root",
        }
        arguments = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        subprocess.run(["apt-get", *arguments, "update"], check=True, stdout=subprocess.DEVNULL)

        def read(pattern):
            [path] = (root / "lists").glob(pattern)
            return subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], check=True, capture_output=True, text=True).stdout

        packages = list(paragraphs(read("*_binary-amd64_Packages*")))
        descriptions = {p["Package"]: p["Description-en"] for p in paragraphs(read("*_Translation-en*")) if "Description-en" in p}
    return packages, descriptions


def plain(description):
    """Summary and running text of a Debian description, without its markup."""
    summary, _, rest = description.partition("\n")
    text = []
    for line in rest.split("\n"):
        text.append("\n\n" if line.strip() == "." else line.strip() + " ")
    return summary.strip(), re.sub(r" *\n\n *", "\n\n", re.sub(r" +", " ", "".join(text))).strip()


def choose(packages, descriptions):
    """ITEMS packages spread evenly over the sections, in an order that only their names decide."""
    sections, seen = {}, set()
    for package in sorted(packages, key=lambda p: hashlib.sha256(p["Package"].encode()).digest()):
        name, section = package["Package"], package["Section"]
        if NOT_ITSELF.search(name) or section in BORING_SECTIONS or name not in descriptions:
            continue
        summary, text = plain(descriptions[name])
        start = text[:60]
        if not 250 <= len(text) <= 1400 or "@" in text or "transitional" in summary or start in seen or not text.isascii():
            continue
        seen.add(start)  # packages of one source often share their text
        sections.setdefault(section, []).append({
            "name": name, "section": section, "summary": summary, "description": text,
            "version": package["Version"], "homepage": package.get("Homepage", ""), "installed_kib": int(package.get("Installed-Size", 0)),
        })
    chosen = []
    while len(chosen) < ITEMS:
        for section in sorted(sections):
            if sections[section] and len(chosen) < ITEMS:
                chosen.append(sections[section].pop(0))
    chosen.sort(key=lambda item: item["name"])
    return [{"id": number} | item for number, item in enumerate(chosen, 1)]


FIRST = "Ada Amara Ben Bianca Carlos Chloe Dara Dmitri Elena Emeka Fatima Felix Grace Hana Hugo Ines Ivan Jada Jonas Kenji Klara Leila Liam Maya Milan Nadia Noah Olga Omar Paula Quinn Rafael Rosa Sami Selma Tariq Tess Uma Viktor Wanda Xenia Yara Yusuf Zoe".split()
LAST = "Abara Bergstrom Castillo Dubois Eriksen Farouk Galanis Hoshino Ibarra Jankowski Keller Lindqvist Moreau Nakagawa Okafor Petrov Quintero Rossi Silva Tanaka Umarov Vasquez Weber Xu Yilmaz Zieleniewski Ashdown Brockway Carmody Delacroix".split()
CITIES = "Aarhus Bilbao Cork Denver Esbjerg Fresno Ghent Hobart Izmir Jena Kyoto Leipzig Malmo Nantes Oslo Porto Quito Riga Sapporo Turin Utrecht Valencia Winnipeg York Zagreb".split()
CALLS = ["before ten in the morning", "after lunch", "on Fridays only", "in the evening", "never; write instead"]
MOODS = ["a patient customer since the first release", "complained about a late delivery and was refunded", "wants a discount for a school", "asks for invoices on paper", "recommended us to two colleagues"]


def people(items):
    """CUSTOMERS invented people. Nothing in them can belong to anybody: the domains are
    example.*, the telephone numbers 555-01xx, the social security numbers of area 000."""
    dice = random.Random("customers of vecgate")
    made, taken = [], set()
    for number in range(1, CUSTOMERS + 1):
        first, last = dice.choice(FIRST), dice.choice(LAST)
        email = f"{first}.{last}{number}@example.{dice.choice(['com', 'org', 'net'])}".lower()
        phone = f"+1-{dice.randrange(201, 990)}-555-01{dice.randrange(100):02d}"
        ssn = f"000-{dice.randrange(1, 100):02d}-{number:04d}"
        liked = dice.choice(items)
        notes = f"Interested in {liked['summary'][:1].lower()}{liked['summary'][1:]}. Call {dice.choice(CALLS)}. {first} is {dice.choice(MOODS)}." if dice.random() < 0.6 else \
            f"Asked about {liked['name']} ({liked['section']}): {liked['summary'].lower()}. {dice.choice(MOODS).capitalize()}."
        if number % 10 == 0:  # personal data in running text, for masking that must find it there
            notes += f" Private number {phone}, mail to {email}."
        assert ssn not in taken
        taken.add(ssn)
        made.append({"id": number, "name": f"{first} {last}", "email": email, "phone": phone, "ssn": ssn, "city": dice.choice(CITIES), "notes": notes})
    return made


def purchases(items, customers):
    dice = random.Random("orders of vecgate")
    made = []
    for number in range(1, ORDERS + 1):
        day = dice.randrange(365)
        made.append({
            "id": number, "customer_id": dice.choice(customers)["id"], "item_id": dice.choice(items)["id"],
            "quantity": dice.choice([1, 1, 1, 2, 3, 5]), "cents": dice.randrange(500, 25000),
            "day": f"2026-{1 + day * 12 // 365:02d}-{1 + day % 28:02d}",
        })
    return made


def pack(name, content):
    """gzip without a date or name, so that equal content makes equal files."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0, filename="") as zipped:
        zipped.write(content)
    (HERE / name).write_bytes(buffer.getvalue())
    print(f"{name}: {len(buffer.getvalue()):,} bytes")


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()


def main():
    items = choose(*package_index())
    customers = people(items)
    orders = purchases(items, customers)
    queries = [{"id": number, "text": text} for number, text in enumerate(QUERIES, 1)]
    texts = [f"{item['name']}: {item['summary']}. {item['description']}" for item in items]
    texts += [customer["notes"] for customer in customers]
    texts += QUERIES
    model = MiniLM()
    embeddings = np.array([model.embed(text) for text in texts])
    pack("items.jsonl.gz", lines(items))
    pack("customers.jsonl.gz", lines(customers))
    pack("orders.jsonl.gz", lines(orders))
    pack("queries.jsonl.gz", lines(queries))
    # Items, customers, queries, in this order: little-endian half floats, 384 each.
    pack("embeddings.f16.gz", embeddings.astype("<f2").tobytes())


if __name__ == "__main__":
    main()
