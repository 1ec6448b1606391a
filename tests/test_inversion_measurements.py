"""Tables of measurements: what is read, and what is refused."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.io import FileError

read = pl.inversion.read_measurements


@pytest.fixture
def table(tmp_path):
    """Write a text and read it as measurements."""

    def of(text, **options):
        path = tmp_path / "m.csv"
        path.write_text(text, encoding="utf-8")
        return read(path, **options)

    return of


def test_a_full_table(table):
    found = table(
        "\ufeff# measured on Monday\n# unit: W/(m K)\n"
        "Specimen, a11 ,A22,A12,sigma,X [mm],y [mm],remark\n"
        "p7,2,3,.1,0.01,0,1.5,fine\n\n"
        "p9,4,,NA,.02,1,2,\n"
        "p7,3,5,-.2,0,2,3,x\n"
    )
    assert (found.components, found.unit) == (("A11", "A22", "A12"), "W/(m K)")
    np.testing.assert_array_equal(found.data, [[2, 3, 0.1], [4, np.nan, np.nan], [3, 5, -0.2]])
    np.testing.assert_array_equal(found.specimen, [0, 1, 0])
    np.testing.assert_array_equal(found.locations, [[0, 1.5], [1, 2], [2, 3]])
    np.testing.assert_array_equal(found.sigma, np.array([[0.01], [0.02], [0]]) * np.ones(3))
    assert (found.location_unit, found.specimens, len(found)) == ("mm", 2, 3)
    assert found.missing == {"A22": 1, "A12": 1}
    some = found.rows(np.array([2, 0]))
    np.testing.assert_array_equal(some.data[:, 0], [3, 2])
    np.testing.assert_array_equal(some.specimen, [0, 0])


def test_scalars_and_single_columns(table):
    found = table("A [S/m]\n1\n2\n")
    assert (found.components, found.unit, found.data.shape) == (("A",), "S/m", (2, 1))
    found = table("A22,sigma_A22\n1,.1\n2,.2\n", unit="GPa")
    assert found.unit == "GPa"
    np.testing.assert_array_equal(found.data[:, 1], [1, 2])
    assert np.isnan(found.data[:, [0, 2]]).all()
    np.testing.assert_array_equal(found.sigma, [[0, 0.1, 0], [0, 0.2, 0]])
    np.testing.assert_array_equal(table("A11,A21\n1,.1\n2,.3\n").data[:, 2], [0.1, 0.3])


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "A11": pyarrow.array([1.0, 2.0, None]),
        "A22": pyarrow.array([1, 3, 4], pyarrow.int32()),
        "specimen": pyarrow.array(["a", "b", "a"]),
    }
    written = pyarrow.table(columns)
    field = written.schema.field(0).with_metadata({"unit": "W/(m K)"})
    written = written.cast(written.schema.set(0, field))
    parquet.write_table(written, tmp_path / "m.parquet")
    found = read(tmp_path / "m.parquet")
    assert found.unit == "W/(m K)"
    expected = [[1, 1, np.nan], [2, 3, np.nan], [np.nan, 4, np.nan]]
    np.testing.assert_array_equal(found.data, expected)
    np.testing.assert_array_equal(found.specimen, [0, 1, 0])
    columns["A11"] = pyarrow.array([1.0, float("nan"), 2.0])
    parquet.write_table(pyarrow.table(columns), tmp_path / "m.parquet")
    with pytest.raises(FileError, match="row 1, column A11: nan is no measurement"):
        read(tmp_path / "m.parquet")
    (tmp_path / "m.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(FileError, match="not a readable parquet file"):
        read(tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no header"),
        ("A11,A22\n", "no rows"),
        ("B11,B22\n1,2\n", "no column A11, A22, A12 or A; its columns are B11, B22"),
        ("A12,x\n1,2\n", "A12 alone"),
        ("A11,A11\n1,2\n", "two columns 'A11'"),
        ("A11,A,x,y\n1,2,1,1\n", "a column A and columns of a tensor"),
        ("A12,A21\n1,2\n", "columns A12 and A21"),
        ("A11,A22\n1,2\n3\n", "line 3 has 1 fields; expected 2"),
        ("A11,A22\n1,2\n3,1.5.2\n", "line 3, column A22: '1.5.2' is not a number"),
        ("A11,A22\n1,2\n3,nan\n", "line 3, column A22: nan is no measurement; leave the field"),
        ("A11,A22\n1,2\n3,inf\n", "line 3, column A22: inf is not finite"),
        ("A11,A22\n1,2\n,\n", "line 3 has no component at all"),
        ("A11,A22\n1,2\n-3,1\n", "line 3: A11 is -3; conductivities are > 0"),
        ("A11,A22,A12\n1,2,0\n3,1,2\n", "line 3: the tensor A11=3, A22=1, A12=2 is not positive"),
        ("A11,A22\n1,2\n1,3\n", "column A11 is constant"),
        ("A11,A22\n1,1\n2,2\n", "column A22 is a copy of column A11"),
        ("A11 [GPa],A22 [MPa]\n1,2\n3,1\n", "several units, GPa, MPa"),
        ("A11,sigma\n1,2\n3,-1\n", "line 3, column sigma: is -1"),
        ("A11,sigma\n1,2\n3,\n", "line 3, column sigma: is nan"),
        ("A11,x\n1,2\n3,1\n", "a column x alone"),
        ("A11,x,y\n1,2,\n3,1,1\n", "line 2, column y: is empty"),
        ("A11,specimen\n1,2\n3,\n", "line 3, column specimen: is empty"),
    ],
)
def test_what_cannot_be_measurements(table, text, message):
    with pytest.raises(FileError, match=message) as caught:
        table(text)
    assert "m.csv: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path, table):
    with pytest.raises(FileError, match=r"m\.xlsx: unknown ending '\.xlsx'; expected \.csv"):
        read(tmp_path / "m.xlsx")
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "none.csv")
    (tmp_path / "m.csv").write_bytes(b"A11,A22\n\xff\xfe,1\n")
    with pytest.raises(FileError, match="not a readable csv file"):
        read(tmp_path / "m.csv")
    with pytest.raises(TypeError, match="path is a int"):
        read(3)
    with pytest.raises(TypeError, match="unit is a int"):
        read("m.csv", unit=3)
    with pytest.raises(FileError, match="states the unit GPa, and MPa is asked for"):
        table("A11 [GPa]\n1\n2\n", unit="MPa")
    with pytest.raises(FileError, match="has 2 measurements; a model of 5 parameters"):
        table("A11\n1\n2\n").check_number(5)
    table("A11\n1\n2\n").check_number(1)
