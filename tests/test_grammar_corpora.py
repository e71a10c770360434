"""Ready grammars on test cases that CPython ships for its own parsers, where it ships its tests."""

import importlib
import pathlib
import re
import warnings
import xml.parsers.expat

import pytest

from ready_grammars import accepts, explain


def cpython(name):
    """A module of CPython's tests."""
    return pytest.importorskip(name, reason="needs CPython's tests")


def test_json_checker():
    """The cases of json.org's JSON_checker: what must be read, and what must not."""
    good = cpython("test.test_json.test_pass1").JSON
    assert accepts("json", good), explain("json", good)
    for name in ("test_pass2", "test_pass3"):
        assert accepts("json", importlib.import_module(f"test.test_json.{name}").JSON)
    fail = importlib.import_module("test.test_json.test_fail")
    # Before RFC 7159 an object or a list was outermost, and the checker has a depth that is no rule.
    allowed = {number - 1 for number in fail.SKIPS}
    wrong = [
        text for number, text in enumerate(fail.JSONDOCS) if number not in allowed and accepts("json", text)
    ]
    assert len(fail.JSONDOCS) > 30
    assert wrong == []


def compiles(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except re.error:
            return False
    return True


def test_regular_expressions():
    """The patterns of CPython's `re`: those that the grammar takes compile, and it takes all of its part."""
    tests = cpython("test.re_tests").tests
    patterns = sorted({case[0] for case in tests if isinstance(case[0], str)})
    taken = [pattern for pattern in patterns if accepts("regex", pattern)]
    assert [pattern for pattern in taken if not compiles(pattern)] == []
    # What the grammar leaves out: backreferences, octal and hexadecimal escapes, groups with names or flags,
    # lookbehind, conditions, possessive repeats, and `]` first in a class.
    left_out = re.compile(r"\\[0-9x]|\(\?[^:=!]|[*+?}]\+|\[\^?\]")
    missing = [pattern for pattern in patterns if pattern not in taken and not left_out.search(pattern)]
    assert len(taken) > 140
    assert [pattern for pattern in missing if compiles(pattern)] == []


def test_xml():
    """The documents of CPython's XML tests that are in UTF-8 and have no internal subset."""
    folder = pathlib.Path(cpython("test").__file__).parent
    files = sorted(folder.glob("**/xmltestdata/**/*.xml"))
    if not files:
        pytest.skip("needs CPython's tests with their data")
    checked = 0
    for file in files:
        data = file.read_bytes()
        parser = xml.parsers.expat.ParserCreate()
        try:
            parser.Parse(data, True)
        except xml.parsers.expat.ExpatError:
            continue
        if b"<!ENTITY" in data or b"[" in data.partition(b"<!DOCTYPE")[2][:200] or b"encoding=" in data[:80]:
            continue
        checked += 1
        assert accepts("xml", data), (file.name, explain("xml", data))
    assert checked > 10
