"""INI files as oslo.config reads them, and overrides that are merged into them."""

from __future__ import annotations

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import oslo_ini
from ansible_collections.novalab.openstack.plugins.module_utils.oslo_ini import IniSyntaxError

FILE = """\
# Ansible managed
[DEFAULT]
debug = false
my_ip = 10.0.0.5

[scheduler]
# why
workers = 1
filters = A,
  B

[pci]
alias = one
alias = two
"""


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "[DEFAULT]\ndebug = true",
            FILE.replace("debug = false\nmy_ip = 10.0.0.5\n", "my_ip = 10.0.0.5\n# From x\ndebug = true\n"),
        ),
        ("[scheduler]\nfilters=C", FILE.replace("filters = A,\n  B\n", "# From x\nfilters=C\n")),
        # All of a name are replaced, and may be several again.
        ("[pci]\nalias = a\nalias = b", FILE.replace("alias = one\nalias = two\n", "# From x\nalias = a\nalias = b\n")),
        ("[new]\nkey: value", f"{FILE}\n[new]\n# From x\nkey: value\n"),
        # oslo.config takes hyphens for underscores.
        ("[DEFAULT]\nmy-ip = ::1", FILE.replace("my_ip = 10.0.0.5\n", "# From x\nmy-ip = ::1\n")),
        ("# nothing\n", FILE),
        (
            "[DEFAULT]\nuser = {{ lookup('pipe', 'id') }}",
            FILE.replace("10.0.0.5\n", "10.0.0.5\n# From x\nuser = {{ lookup('pipe', 'id') }}\n"),
        ),
    ],
    ids=["replaced", "continued", "several", "new section", "hyphen", "empty", "template marks"],
)
def test_merged_option_replaces_all_of_its_name(override: str, expected: str) -> None:
    assert oslo_ini.merged(FILE, [("x", override)]) == expected


def test_merged_later_file_wins() -> None:
    text = oslo_ini.merged(FILE, [("a", "[DEFAULT]\ndebug = 1"), ("b", "[DEFAULT]\ndebug = 2")])
    assert [option.value for option in oslo_ini.options(text) if option.key == "debug"] == ["2"]


def test_merged_without_the_override_is_the_file_again() -> None:
    assert oslo_ini.merged(FILE, []) == FILE


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("key = 1", 1, "found the option key before any section, expected a section such as"),
        ("[a]\nword", 2, "found 'word', expected OPTION = VALUE"),
        ("[a\nkey = 1", 1, "found '\\[a', expected a section"),
        ("[]", 1, "found '\\[\\]'"),
        ("[a]\n  key = 1", 2, "found 'key = 1' after spaces, expected an option that this line continues"),
        ("[a]\n= 1", 2, "found '', expected OPTION = VALUE"),
    ],
)
def test_options_of_bad_syntax_are_refused_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(IniSyntaxError, match=said) as caught:
        oslo_ini.options(text)
    assert caught.value.number == line


def test_value_is_one_line() -> None:
    (option,) = oslo_ini.options("[a]\nkey = one,\n   two\n")
    assert (option.value, option.number) == ("one, two", 2)
