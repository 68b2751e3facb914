"""Tables show what they are given, in numbers that read as numbers."""

import re

import pytest

from amp_helpers.utils.table import Table, low_to_high, number


def test_tables_escape_align_and_mark_rows():
    table = Table(("name", "value"), [("<b>", 0.123456), ("nothing", float("nan"))], marked=frozenset({1}))
    page = table._repr_html_()
    assert "&lt;b&gt;" in page and "0.123" in page and "undefined" in page
    assert page.count("background") == 1
    assert str(table).splitlines()[2].startswith("* nothing")


def test_a_column_with_a_number_is_right_aligned_with_its_header_and_words():
    page = Table(("name", "falls after, s"), [("right", 1.5), ("clipped", "no fall")])._repr_html_()
    assert re.findall(r"text-align:(\w+)", page) == ["left", "right"] * 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.123456, "0.123"),
        (-0.0119, "-0.0119"),
        (139.06, "139"),
        (1234.5, "1234"),
        (1.39e-5, "1.39·10⁻⁵"),
        (-2e-5, "-2·10⁻⁵"),
        (2.5e9, "2.5·10⁹"),
        (float("inf"), "inf"),
        (float("nan"), "undefined"),
    ],
)
def test_a_number_has_three_digits_and_no_e(value, text):
    assert number(value) == text
    assert Table(("",), [(value,)])._cells() == [[text]]


def test_a_range_is_one_number_where_its_ends_read_alike():
    assert low_to_high([0.08199, 0.08201]) == "0.082" and low_to_high([1e-5, 1234.0]) == "1·10⁻⁵ to 1234"
    assert low_to_high([]) == "undefined"
