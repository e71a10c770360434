"""Ready grammars of plain formats beside parsers that others wrote: they accept and refuse the same texts."""

import ast
import csv
import datetime
import email.errors
import email.headerregistry
import io
import ipaddress
import json
import re
import sys

import pytest

from ready_grammars import accepts, compare, mutations, samples

# From semver.org's FAQ.
SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


def texts_near(name, count, *, extra=""):
    """The samples of a grammar, and damaged copies of them."""
    good, bad = samples(name, "accept"), samples(name, "reject")
    return [*good, *bad, *mutations(good + bad, count, extra=extra)]


def raises(error, function, *args):
    try:
        function(*args)
    except error:
        return True
    return False


def test_semver():
    accepted, refused = compare("semver", is_semver, texts_near("semver", 6000))
    assert min(accepted, refused) > 500


def is_semver(text):
    return SEMVER.fullmatch(text) is not None


def is_cron(text):
    """Vixie cron's rules, by counting; a range may run backwards, as the grammar says."""
    if text.startswith("@"):
        return text[1:] in [
            "reboot",
            "yearly",
            "annually",
            "monthly",
            "weekly",
            "daily",
            "midnight",
            "hourly",
        ]
    names = {3: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]}
    names[4] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    fields = re.split(r"[ \t]+", text)
    if len(fields) != 5:
        return False

    def is_value(value, index):
        if value.lower() in names.get(index, ()):
            return value.isascii()
        low, high = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)][index]
        return re.fullmatch("[0-9]{1,2}", value) is not None and low <= int(value) <= high

    def is_item(item, index):
        item, slash, step = item.partition("/")
        if slash and not (re.fullmatch("[1-9][0-9]?", step) and (item == "*" or "-" in item)):
            return False
        return item == "*" or (item.count("-") < 2 and all(is_value(v, index) for v in item.split("-")))

    return all(is_item(item, index) for index, field in enumerate(fields) for item in field.split(","))


def test_cron():
    accepted, refused = compare("cron", is_cron, texts_near("cron", 12000))
    assert min(accepted, refused) > 500


def is_address(kind):
    return lambda text: not raises(ValueError, kind, text)


def test_ipv4():
    accepted, refused = compare("ipv4", is_address(ipaddress.IPv4Address), texts_near("ipv4", 12000))
    assert min(accepted, refused) > 500
    for octet in range(300):
        assert accepts("ipv4", f"1.{octet}.0.{octet}") == (octet < 256)


def test_ipv6():
    # A zone, as in `fe80::1%eth0`, is left out.
    texts = (text for text in texts_near("ipv6", 12000, extra=":::") if "%" not in text)
    accepted, refused = compare("ipv6", is_address(ipaddress.IPv6Address), texts)
    assert min(accepted, refused) > 500


@pytest.mark.parametrize("name", ["iso8601", "iso8601_date"])
def test_every_day_of_some_years(name):
    """All days that could be written, against the calendar of the standard library."""
    for year in (1, 4, 100, 400, 1582, 1900, 1999, 2000, 2004, 2023, 2024, 2100, 2400, 9999):
        days = {datetime.date(year, 1, 1) + datetime.timedelta(n) for n in range(365)} | {
            datetime.date(year, 12, 31)
        }
        calendar = {day.isoformat() for day in days}
        assert len(calendar) == (366 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 365)
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                assert accepts(name, text) == (text in calendar), text
                if name == "iso8601":
                    assert accepts(name, text.replace("-", "")) == (text in calendar), text


def test_weeks_and_days_of_the_year():
    for year in (*range(1, 9999, 97), *range(1996, 2024), 2100, 2400):
        weeks = datetime.date(year, 12, 28).isocalendar()[1]
        for week in (0, 1, 9, 10, 52, 53, 54):
            for text in (f"{year:04}-W{week:02}", f"{year:04}-W{week:02}-7", f"{year:04}W{week:02}1"):
                assert accepts("iso8601", text) == (1 <= week <= weeks), text
            assert not accepts("iso8601", f"{year:04}-W{week:02}-8")
        last = datetime.date(year, 12, 31).timetuple().tm_yday
        for day in (0, 1, 99, 100, 200, 365, 366, 367):
            assert accepts("iso8601", f"{year:04}-{day:03}") == (1 <= day <= last)
            assert accepts("iso8601", f"{year:04}{day:03}") == (1 <= day <= last)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 is the first to read ISO 8601")
def test_iso8601_beside_the_standard_library():
    """The standard library takes what the grammar takes, but for the few forms that `could` names."""
    stamp = re.compile(r"\d{4}-?(\d\d-?\d\d|W\d\d-?\d)T.*")

    def could(text):
        has_time = stamp.fullmatch(text) and "/" not in text and not text.startswith("0000")
        special = re.search(r"T24|59:?60|T\d\d([.,]|$|Z|[+-])|T\d\d:?\d\d[.,]|\d-\d{3}T", text)
        return has_time and not special

    good = [text for text in samples("iso8601", "accept") if could(text)]
    texts = [text for text in mutations(good, 12000) if could(text) and accepts("iso8601", text)]
    assert len(texts) > 500
    for text in texts:
        assert datetime.datetime.fromisoformat(text), text


def is_email(text):
    try:
        address = email.headerregistry.Address(addr_spec=text)
    except (email.errors.HeaderParseError, email.errors.MessageDefect, ValueError, IndexError):
        return False
    except AttributeError:  # raised on the way to a defect, which has no `all_defects`
        return False
    return bool(address.domain)


def test_email():
    """The header parser of the standard library takes more than mail servers do, but nothing less."""
    accepted, refused = compare("email", is_email, texts_near("email", 8000), subset=True)
    assert min(accepted, refused) > 500


def test_uri():
    schemas = pytest.importorskip("jsonschema_rs", reason="needs the extra test")
    validator = schemas.Draft7Validator({"format": "uri"}, validate_formats=True)
    accepted, refused = compare("uri", validator.is_valid, texts_near("uri", 10000, extra="[]:/"))
    assert min(accepted, refused) > 500


def reads_as_csv(text):
    return not raises(csv.Error, list, csv.reader(io.StringIO(text, newline=""), strict=True))


def test_csv():
    accepted, refused = compare("csv", reads_as_csv, texts_near("csv", 6000, extra='",'), subset=True)
    assert min(accepted, refused) > 500


def test_csv_takes_what_the_standard_library_writes():
    fields = ["", "a", " b ", 'c"c', "d,d", "e\ne", "f\r\n", '"', "é\t", '""', ","]
    for size in (1, 2, 3):
        for dialect in (csv.excel, csv.unix_dialect):
            output = io.StringIO(newline="")
            writer = csv.writer(output, dialect, quoting=csv.QUOTE_ALL)
            writer.writerows([fields[i : i + size] for i in range(len(fields))])
            assert accepts("csv", output.getvalue())


def is_json(text):
    def refuse(constant):
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def test_json():
    accepted, refused = compare("json", is_json, texts_near("json", 8000, extra='"{}[],:'))
    assert min(accepted, refused) > 500


def test_json_lines():
    def parses(text):
        lines = text.split("\n")
        return all(map(is_json, lines[:-1])) and (not lines[-1] or is_json(lines[-1]))

    accepted, refused = compare("json_lines", parses, texts_near("json_lines", 6000, extra='"{}[],:'))
    assert min(accepted, refused) > 300


def test_arithmetic():
    def parses(text):
        return not raises(SyntaxError, ast.parse, text, "", "eval")

    accepted, refused = compare(
        "arithmetic", parses, texts_near("arithmetic", 6000, extra="()+-"), subset=True
    )
    assert min(accepted, refused) > 500
