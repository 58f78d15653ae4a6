"""A file of customer users is read as it is meant, and every line that cannot be read is named."""

import pytest

from worker.importing import UnreadableFile, read, repeated

LINES = "UserLogin{0}UserCity\njane{0}Köln\n\n{0}Rome\njohn{0}\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiter_and_encoding_are_found_out(delimiter: str, encoding: str) -> None:
    found = read(LINES.format(delimiter).replace("\n", "\r\n").encode(encoding))

    assert found.names == ("UserLogin", "UserCity")
    assert [(row.line, dict(row.values)) for row in found.rows] == [
        (2, {"UserLogin": "jane", "UserCity": "Köln"}),
        (4, {"UserCity": "Rome"}),
        (5, {"UserLogin": "john"}),
    ]


def test_what_is_given_counts_more_than_what_is_found_out() -> None:
    found = read("a;b,c\nü;2,3\n".encode("cp1252"), encoding="cp1252", delimiter=",")

    assert found.names == ("a;b", "c")
    assert found.rows[0].values == {"a;b": "ü;2", "c": "3"}


def test_a_row_that_is_not_whole_is_named_and_the_others_are_read() -> None:
    found = read(b'UserLogin,UserCity\njane\n"a\nb",c\nx,y,z\nlast,one\n')

    assert [(row.line, bool(row.problem)) for row in found.rows] == [
        (2, True),
        (3, False),
        (5, True),
        (6, False),
    ]
    assert found.rows[1].values == {"UserLogin": "a\nb", "UserCity": "c"}
    assert "1 cells" in found.rows[0].problem


def test_behind_a_quote_that_never_ends_nothing_is_guessed() -> None:
    found = read(b'UserLogin,UserCity\njane,x\n"john,y\nanna,z\n')

    assert [(row.line, bool(row.problem)) for row in found.rows] == [(2, False), (3, True)]


def test_lines_of_json_hold_texts_numbers_and_lists() -> None:
    found = read(
        b'{"UserLogin": "jane", "DynamicField_Tags": ["a", "b"], "ValidID": 1, "UserCity": null}\n'
        b'\n{"UserLogin": "john"\n[1]\n{"UserLogin": true}\n{"UserLogin": ["a", 1]}\n'
    )

    assert [(row.line, bool(row.problem)) for row in found.rows] == [
        (1, False),
        (3, True),
        (4, True),
        (5, True),
        (6, True),
    ]
    assert found.rows[0].values == {
        "UserLogin": "jane",
        "DynamicField_Tags": ["a", "b"],
        "ValidID": 1,
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no row"),
        (b"UserLogin,UserCity\n", "no row"),
        (b"UserLogin,\njane,x\n", "column 2 has no title"),
        (b"a,b,a\n1,2,3\n", "twice: a"),
        (b"a,b\n1,\xfc\n", "line 2 is not utf-8"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read(content)


def test_an_encoding_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="no encoding klingon"):
        read(b"UserLogin\njane\n", encoding="klingon")


def test_columns_can_be_passed_over() -> None:
    found = read(b"login,UserLogin\n1,jane\n", without=["login"])

    assert found.names == ("UserLogin",)
    assert found.rows[0].values == {"UserLogin": "jane"}


def test_a_login_that_comes_again_is_told_with_the_line_of_the_first() -> None:
    rows = read(b"UserLogin\njane\nJANE\njohn\njane\n").rows

    assert repeated(rows, "UserLogin", exact=False) == {1: 2, 3: 2}
    assert repeated(rows, "UserLogin", exact=True) == {3: 2}
