"""Names of cassettes are safe on every system, and two tests never get one file unheard."""

from __future__ import annotations

import itertools
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream import CassetteNames, cassette_name
from cassette_stream.storage import inside

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and symlinks of POSIX")


@given(st.text(min_size=1, max_size=300) | st.from_regex(r"\A[\w:/.\[\]~-]{1,40}\Z"))
def test_a_name_is_one_safe_file_name(test_id: str) -> None:
    name = cassette_name(test_id)

    assert not set(name) & set('<>:"/\\|?*\0\r\n\t ')
    assert name.isprintable()
    assert name.endswith(".yaml")
    assert len(name.encode()) <= 200
    assert not name.startswith((".", "-"))
    assert Path("folder", name) == inside("folder", name)


@given(st.lists(st.text(alphabet="aA.:/[]~ \u00e9e\u0301-_", min_size=1), min_size=2, unique=True))
def test_two_ids_never_give_one_name(ids: list[str]) -> None:
    assert len({cassette_name(test_id) for test_id in ids}) == len(ids)


@pytest.mark.parametrize(
    ("test_id", "name"),
    [
        ("test_count", "test_count.yaml"),
        ("TestChat::test_count[gpt-4.1]", "TestChat.test_count[gpt-4.1].yaml"),
        ("test_count[a b]", "test_count[a-b]~"),
        ("tests/test_chat.py::test_count", "tests-test_chat.py.test_count~"),
        ("TestChat.test_count", "TestChat.test_count~"),
        ("../../etc/passwd", "_etc-passwd~"),
        ("..", "_~"),
        ("/", "_~"),
        ("C:\\autoexec", "C-autoexec~"),
        ("con", "_con~"),
        ("NUL.tar", "_NUL.tar~"),
        ("com¹", "_com¹~"),
        ("-rf", "_rf~"),
        (".hidden", "_hidden~"),
        ("trailing.", "trailing~"),
        ("two\nlines\0", "two-lines-~"),
        ("caf\u00e9", "caf\u00e9.yaml"),
        ("cafe\u0301", "caf\u00e9~"),
        ("\ud800", "_~"),
        ("x" * 195, "x" * 195 + ".yaml"),
        ("x" * 196, "x" * 184 + "~"),
        ("\u65e5" * 80, "\u65e5" * 61 + "~"),
    ],
)
def test_names_of_ids_as_people_write_them(test_id: str, name: str) -> None:
    found = cassette_name(test_id)

    assert found == name or (name.endswith("~") and found.startswith(name))
    assert ("~" in found) == name.endswith("~")


def test_an_empty_id_has_no_name() -> None:
    with pytest.raises(ValueError, match="empty"):
        cassette_name("")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../../x", "/x", "\\x", "C:x", "C:\\x", "a\\..\\x", "a\0b"]
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="without '..', drive or root"):
        inside(tmp_path, name)


@needs_posix
def test_a_symlink_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)

    with pytest.raises(ValueError, match="leads out of"):
        inside(folder, "out/cassette.yaml")


def test_names_in_subfolders_are_inside(tmp_path: Path) -> None:
    assert inside(tmp_path, "test_chat/test_count.yaml") == tmp_path / "test_chat/test_count.yaml"


# Five hundred hostile ids: each way in which an id is hostile, and each at every place of an id.

RESERVED = ["con", "PRN", "aux", "NUL", "com1", "LPT9", "com\u00b9", "CONIN$", "clock$"]
CLIMBING = ["..", "../../etc/passwd", "..\\..\\boot.ini", ".", "./.", "a/../../b", "~/x", "~root"]
ROOTED = ["/", "//server/share", "\\\\server\\share", "/dev/null", "\\\\?\\C:\\x", "\\\\.\\pipe"]
DRIVES = ["C:", "C:\\x", "c:x", "a.yaml:stream", "::$DATA"]
CONTROLS = ["\0", "a\0b", "\n", "a\r\nb", "\t", "\x1b[2J", "\x7f", "\x85", "\u2028", "\ufeff"]
BIDI = ["\u202eyaml.exe", "\u2066x\u2069", "\u200f", "\u200b", "a\u00adb", "\u05d0\u05d1"]
ENDS = ["x.", "x ", "x. .", " x", ".x", "-x", "--help", "x.yaml", "x.lock", "...", " "]
GLOBS = ["*", "a?b", "<x>", "x|y", '"x"', "'x'", "$(x)", "%PATH%", "`x`", "!x", "#x", "{x}"]
SIGNS = [
    "\U0001f600",
    "\U0001f468\u200d\U0001f469",
    "e\u0301",
    "\u00e9",
    "\ud800",
    "\udcff",
    "\ufffd",
]
LONG = ["x" * 300, "\u65e5" * 100, "\U0001f600" * 80, "a." * 150, "../" * 90, "[" * 256]
PARTS = [*RESERVED, *CLIMBING, *ROOTED, *DRIVES, *CONTROLS, *BIDI, *ENDS, *GLOBS, *SIGNS, *LONG]
SHAPES = [
    "{}",
    "test_it[{}]",
    "Test{}::test_it",
    "{}::test_it",
    "test_it{}",
    "test_it[a-{}-b]",
    "{0}[{0}]",
]
HOSTILE = [shape.format(part) for shape in SHAPES for part in PARTS]


def test_five_hundred_hostile_ids_have_names_inside_the_folder_and_none_twice(
    tmp_path: Path,
) -> None:
    names = CassetteNames()
    paths = [names.claim(tmp_path, cassette_name(each), test=each) for each in HOSTILE]

    assert len(HOSTILE) == len(set(HOSTILE)) >= 500
    assert {path.resolve().parent for path in paths} == {tmp_path.resolve()}
    assert len({path.name.casefold() for path in paths}) == len(HOSTILE)
    windows = {"con", "prn", "aux", "nul", "com1", "lpt9", "com\u00b9"}
    assert not windows & {path.name.partition(".")[0].lower() for path in paths}
    for path in paths:
        path.touch(exist_ok=False)
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)


def test_five_hundred_hostile_names_are_refused_or_inside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    folder.mkdir()
    refused = 0
    for each in HOSTILE:
        try:
            path = inside(folder, each)
        except ValueError:
            refused += 1
        else:
            assert path.resolve().is_relative_to(folder.resolve())

    assert refused >= 60


# Twins.


def twins(letters: str) -> list[str]:
    """All spellings of *letters* that some system takes for one."""
    lower, upper = letters.lower(), letters.upper()
    cased = ("".join(each) for each in itertools.product(*map(set, zip(lower, upper, strict=True))))
    forms = [unicodedata.normalize(form, each) for each in cased for form in ("NFC", "NFD")]
    return sorted(set(forms))


@pytest.mark.parametrize("stem", ["abc", "\u00e9t\u00e9", "\u03c3\u03b1\u03c2", "x"])
def test_names_that_differ_in_case_or_normal_form_are_an_error_that_names_both(
    tmp_path: Path, stem: str
) -> None:
    for one, other in itertools.permutations(twins(stem), 2):
        names = CassetteNames()
        names.claim(tmp_path, f"{one}.yaml", test="test_a.py::test_one", shared=True)
        with pytest.raises(ValueError, match="one file on some systems") as raised:
            names.claim(tmp_path, f"{other}.yaml", test="test_b.py::test_other", shared=True)

        assert "test_a.py::test_one" in str(raised.value)
        assert "test_b.py::test_other" in str(raised.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Chat/a.yaml", "chat/a.yaml"),
        ("chat/a.yaml", "chat /a.yaml"),
        ("chat./a.yaml", "chat/a.yaml"),
        ("a.yaml", "a.yaml."),
        ("a.yaml", "a.yaml  "),
        ("stra\u00dfe.yaml", "STRASSE.yaml"),
        ("\u212a.yaml", "k.yaml"),
        ("\ufb01.yaml", "FI.yaml"),
        pytest.param("chat\\a.yaml", "chat/a.yaml", marks=needs_posix),
    ],
)
def test_names_that_some_system_takes_for_one_are_twins(
    tmp_path: Path, one: str, other: str
) -> None:
    names = CassetteNames()
    names.claim(tmp_path, one, test="test_one")

    with pytest.raises(ValueError, match="test_two .* test_one .* rename one of the tests"):
        names.claim(tmp_path, other, test="test_two")


@given(st.sets(st.text(alphabet="aAbB\u00e9\u0301e.-[", min_size=1, max_size=6), min_size=2))
def test_of_any_tests_two_get_one_file_only_with_an_error(ids: set[str]) -> None:
    names = CassetteNames()
    taken: set[str] = set()
    for test in sorted(ids):
        name = cassette_name(test)
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if folded in taken:
            with pytest.raises(ValueError, match="one file"):
                names.claim("cassettes", name, test=test)
        else:
            names.claim("cassettes", name, test=test)
        taken.add(folded)


@pytest.mark.parametrize(
    ("first", "second", "fine"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
    ids=["both name it", "the first names it", "the second names it", "nobody names it"],
)
def test_two_tests_share_a_file_where_both_name_it(
    tmp_path: Path, *, first: bool, second: bool, fine: bool
) -> None:
    names = CassetteNames()
    path = names.claim(tmp_path, "a.yaml", test="x.py::test_a", shared=first)
    if fine:
        assert names.claim(tmp_path, "a.yaml", test="y.py::test_a", shared=second) == path
        return
    with pytest.raises(ValueError, match=r"y\.py::test_a would .* that of x\.py::test_a"):
        names.claim(tmp_path, "a.yaml", test="y.py::test_a", shared=second)


def test_a_test_may_ask_for_its_cassette_again(tmp_path: Path) -> None:
    names = CassetteNames()

    assert names.claim(tmp_path, "a.yaml", test="test_a") == tmp_path / "a.yaml"
    assert names.claim(tmp_path, "a.yaml", test="test_a") == tmp_path / "a.yaml"


def test_one_name_in_two_folders_is_two_files(tmp_path: Path) -> None:
    names = CassetteNames()

    assert names.claim(tmp_path / "x", "a.yaml", test="x.py::test_a") == tmp_path / "x" / "a.yaml"
    assert names.claim(tmp_path / "y", "a.yaml", test="y.py::test_a") == tmp_path / "y" / "a.yaml"


@needs_posix
def test_a_folder_by_two_paths_is_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = CassetteNames()
    names.claim(tmp_path / "real", "a.yaml", test="x.py::test_a")

    with pytest.raises(ValueError, match="that of x"):
        names.claim(tmp_path / "link", "a.yaml", test="y.py::test_a")


def test_a_name_that_leads_out_is_refused_and_takes_nothing(tmp_path: Path) -> None:
    names = CassetteNames()
    with pytest.raises(ValueError, match="without '..', drive or root"):
        names.claim(tmp_path / "in", "../a.yaml", test="test_a")

    assert names.claim(tmp_path, "a.yaml", test="test_b") == tmp_path / "a.yaml"
