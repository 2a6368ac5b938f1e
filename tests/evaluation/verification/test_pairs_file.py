import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import InvalidPairs, MienError
from mien.evaluation.verification.pairs_file import LfwPhoto, parse_pairs, read_pairs

VIEW_2 = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nCyd\t4\t5\nBob\t1\tCyd\t12\n"
VIEW_1 = "1\r\nAda\t1\t2\r\nAda\t1\tBob\t3\r\n"


def test_view_2():
    found = parse_pairs(VIEW_2)
    assert found.folds == 2
    assert [(pair.fold, pair.same) for pair in found.pairs] == [
        (0, True),
        (0, False),
        (1, True),
        (1, False),
    ]
    assert found.pairs[3].second == LfwPhoto("Cyd", 12)
    assert found.pairs[3].second.file_name == "Cyd_0012.jpg"
    assert len(found.photos()) == 7


def test_view_1_with_windows_line_ends_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "pairsDevTest.txt"
    path.write_bytes(b"\xef\xbb\xbf" + VIEW_1.encode())
    found = read_pairs(path)
    assert found.folds == 1
    assert [pair.same for pair in found.pairs] == [True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("ten\t300\n", "line 1"),
        ("1 2 3\n", "line 1"),
        ("0\nAda\t1\t2\n", "line 1"),
        ("1\nAda\t1\t2\n", "promises 2 pairs, 1 lines follow"),
        ("1\nAda\t1\nAda\t1\tBob\t2\n", "line 2: expected name, number, number"),
        ("1\nAda\t1\t2\nAda\t1\t2\n", "line 3: expected name, number, name, number"),
        ("1\nAda\tx\t2\nAda\t1\tBob\t2\n", "line 2: 'x' is not the number"),
        ("1\nAda\t0\t2\nAda\t1\tBob\t2\n", "line 2: '0' is not the number"),
        ("1\nAda\t2\t2\nAda\t1\tBob\t2\n", "line 2: a photo is paired with itself"),
        ("1\nAda\t1\t2\nAda\t1\tAda\t2\n", "line 3: Ada is listed among the pairs of two"),
        ("1\n../Ada\t1\t2\nAda\t1\tBob\t2\n", "line 2: '../Ada' is not a name"),
        ("99999999999999999999999\n", "line 1"),
    ],
)
def test_malformed_files_name_the_line(text, says):
    with pytest.raises(InvalidPairs) as caught:
        parse_pairs(text)
    assert says in str(caught.value)
    assert caught.value.hint


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(InvalidPairs, match="No such file"):
        read_pairs(tmp_path / "none.txt")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InvalidPairs, match="not a text file"):
        read_pairs(tmp_path / "photo.jpg")


@given(st.text(alphabet="1290 \t\nAdaBob./", max_size=60))
def test_any_text_gives_pairs_or_invalid_pairs(text):
    try:
        assert parse_pairs(text).pairs
    except MienError as error:
        assert isinstance(error, InvalidPairs)  # noqa: PT017
