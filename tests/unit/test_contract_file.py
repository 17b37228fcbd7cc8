"""contract.toml: complete, deterministic, one promise a line, and strict about what it does not understand."""

from __future__ import annotations

import re
import stat
import tomllib
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcontract.contract import Contract, dumps, loads, read, write
from pgcontract.contract.names import dotted, key_of, key_text, parts_of
from pgcontract.contract.toml import string, text_block
from pgcontract.errors import ContractError
from pgcontract.model import (
    Catalog,
    Check,
    Column,
    Enum,
    ForeignKey,
    Function,
    Index,
    IndexKey,
    Key,
    Name,
    Table,
)
from tests.unit.catalogs import catalogs, identifiers, texts, things

SMALL = Catalog(
    namespaces=("public",),
    enums=(Enum(Name("public", "status"), ("A", "B")),),
    functions=(Function(Name("public", "touch"), returns="trigger", body="\nBEGIN\n  RETURN NEW;\nEND\n"),),
    tables=(
        Table(
            Name("public", "messages"),
            columns=(
                Column("id", "uuid", not_null=True, default="gen_random_uuid()"),
                Column("content", "text"),
                Column("parent", "uuid"),
            ),
            keys=(Key("messages_pkey", ("id",), primary=True),),
            checks=(Check("chk_content", "(content <> ''::text)"),),
            foreign_keys=(
                ForeignKey("fk_parent", ("parent",), Name("public", "messages"), ("id",), on_delete="CASCADE"),
            ),
            indexes=(Index("idx_parent", "btree", (IndexKey("parent", "parent"),)),),
        ),
    ),
)
TEXT = dumps(Contract("small", SMALL))


@given(catalogs(), texts)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_reading_back_gives_the_contract_that_was_written(catalog: Catalog, system: str) -> None:
    """Whatever a catalog can hold, the file holds: `loads(dumps(c)) == c`, and the text is TOML."""
    contract = Contract(system, catalog)
    text = dumps(contract)
    tomllib.loads(text)
    assert loads(text, where="contract.toml") == contract


@given(catalogs())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_same_contract_is_the_same_text(catalog: Catalog) -> None:
    """Writing what was read gives the same bytes."""
    text = dumps(Contract("x", catalog))
    assert dumps(loads(text, where="contract.toml")) == text


@given(catalogs())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nobody_can_hide_characters_in_a_review(catalog: Catalog) -> None:
    """No control, direction or zero-width character stands in the file: all of them are escaped."""
    unseen = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
    assert not unseen.search(dumps(Contract("x", catalog)))


@given(texts)
def test_a_string_reads_back_on_one_line_and_on_many(text: str) -> None:
    """Both spellings of a string are what they were."""
    assert "\n" not in string(text)
    assert tomllib.loads(f"a = {string(text)}\nb = {text_block(text)}") == {"a": text, "b": text}


@given(st.lists(identifiers, min_size=1, max_size=4))
def test_a_dotted_name_comes_apart_again(parts: list[str]) -> None:
    """Quoting keeps dots and quotes inside of a part."""
    assert parts_of(dotted(*parts)) == tuple(parts)


@given(things(IndexKey))
def test_an_index_key_is_written_short_only_where_nothing_is_lost(key: IndexKey) -> None:
    """The short spelling, where there is one, means exactly that key."""
    text = key_text(key)
    assert text is None or key_of(text) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sent_at DESC", IndexKey("sent_at", "sent_at", descending=True, nulls_first=True)),
        ("sent_at DESC NULLS LAST", IndexKey("sent_at", "sent_at", descending=True)),
        ("sent_at NULLS FIRST", IndexKey("sent_at", "sent_at", nulls_first=True)),
        ('"Sent at"', IndexKey('"Sent at"', "Sent at")),
        ("lower(name)", IndexKey("lower(name)")),
        ("room WITH =", IndexKey("room", "room", operator="=")),
    ],
)
def test_index_keys_are_written_as_create_index_writes_them(text: str, key: IndexKey) -> None:
    """Order and nulls stand there only where they are not PostgreSQL's default."""
    assert key_text(key) == text


TABLE = SMALL.tables[0]
COLUMN = TABLE.columns[1]


def changed(**parts: object) -> Catalog:
    """SMALL with parts of its table replaced."""
    return replace(SMALL, tables=(replace(TABLE, **parts),))  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize(
    "catalog",
    [
        changed(columns=(TABLE.columns[0], replace(COLUMN, type="varchar(5)"), TABLE.columns[2])),
        changed(columns=(TABLE.columns[0], replace(COLUMN, not_null=True), TABLE.columns[2])),
        changed(columns=(replace(TABLE.columns[0], default="uuidv7()"), *TABLE.columns[1:])),
        changed(checks=(replace(TABLE.checks[0], expression="(content <> 'x\n'::text)"),)),
        changed(keys=(replace(TABLE.keys[0], columns=("id", "parent")),)),
        changed(foreign_keys=(replace(TABLE.foreign_keys[0], on_delete="SET NULL"),)),
        changed(foreign_keys=(replace(TABLE.foreign_keys[0], on_update="RESTRICT"),)),
        changed(foreign_keys=(replace(TABLE.foreign_keys[0], references=Name("audit", "x")),)),
        changed(indexes=(replace(TABLE.indexes[0], predicate="(content IS NULL)"),)),
        replace(SMALL, enums=(replace(SMALL.enums[0], labels=("A", "B", "C")),)),
        replace(SMALL, functions=(replace(SMALL.functions[0], body="\nBEGIN\n  RETURN OLD;\nEND\n"),)),
        replace(SMALL, functions=(replace(SMALL.functions[0], volatility="VOLATILE", language="c"),)),
    ],
)
def test_a_change_of_one_promise_is_a_change_of_one_line(catalog: Catalog) -> None:
    """One line goes, one line comes."""
    diff = unified_diff(TEXT.split("\n"), dumps(Contract("small", catalog)).split("\n"), n=0)
    lines = [line for line in diff if line[0] in "+-" and not line.startswith(("+++", "---"))]
    assert [line[0] for line in lines] == ["-", "+"]


@pytest.mark.parametrize("length", range(0, len(TEXT.rstrip()), 7))
def test_a_contract_that_was_cut_off_is_refused(length: int) -> None:
    """At whatever place: also at the end of a line, where the rest is valid TOML."""
    with pytest.raises(ContractError) as raised:
        loads(TEXT[:length], where="contract.toml")
    assert raised.value.where is not None
    assert raised.value.where.startswith("contract.toml")
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "what", "line"),
    [
        ("format = 1", "format = 2", "format that this version does not know", "format = 2"),
        ("format = 1", "format = true", "format must be a whole number", "format = true"),
        ("format = 1\n", "", "format is missing", None),
        ('system = "small"', "system = 5", "system must be a text", "system = 5"),
        ("content.not_null = false", "content.not_nul = false", "not_nul is not known", "content.not_nul"),
        ("content.not_null = false", 'content.not_null = "no"', "must be true or false", "content.not_null"),
        ('content.type = "text"\n', "", "type is missing", "content.not_null"),
        ('on_delete = "CASCADE"', 'on_delete = "CASCADES"', "must be one of NO ACTION", "fk_parent.on_delete"),
        ("chk_content.check", "chk_content.chekc", "exactly one of primary_key", "chk_content.chekc"),
        ('"public.messages"', '"messages"', "must be a qualified name", "fk_parent.foreign_key"),
        ('keys = ["id"]', 'key = ["id"]', "keys is missing", "fk_parent.foreign_key"),
        ('keys = ["parent"]', "keys = [5]", "must be a text or a table", "idx_parent"),
        ('keys = ["parent"]', 'keys = [{ expr = "parent" }]', "must be a key of an index", "idx_parent"),
        ('messages_pkey.primary_key = ["id"]', 'messages_pkey.primary_key = "id"', "must be a list", "messages_pkey"),
        ("[tables.public.messages.columns]", "[tabels.public.messages.columns]", "tabels is not known", "[tabels"),
        ('public.status = ["A", "B"]', 'public.status = "A"', "must be a list", "public.status"),
        ("[enums]", "[enums]\nx = 5", "x must be a table", "x = 5"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(old: str, new: str, what: str, line: str | None) -> None:
    """What is wrong, in which file and line, and what to do; never a traceback, never left out in silence."""
    text = TEXT.replace(old, new, 1)
    assert text != TEXT
    with pytest.raises(ContractError, match=re.escape(what)) as raised:
        loads(text, where="contract.toml")
    assert raised.value.remedy
    if line is not None:
        numbered = next(number for number, one in enumerate(text.split("\n"), 1) if one.startswith(line))
        assert raised.value.where is not None
        assert raised.value.where.startswith(f"contract.toml, line {numbered}: ")


def test_a_typing_error_is_answered_with_what_was_meant() -> None:
    """A key that is nearly right is named."""
    with pytest.raises(ContractError) as raised:
        loads(TEXT.replace("content.not_null", "content.not_nul"), where="contract.toml")
    assert raised.value.remedy == "Did you mean not_null?"


def test_invalid_toml_is_told_with_its_line() -> None:
    """The parser's own place is shown."""
    text = TEXT.replace('content.type = "text"', "content.type = text")
    number = text.split("\n").index("content.type = text") + 1
    with pytest.raises(ContractError) as raised:
        loads(text, where="contract.toml")
    assert f"line {number}" in str(raised.value.seen)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing is left beside it, its mode stays, and a folder that is not there is an error for people."""
    path = tmp_path / "contract.toml"
    write(path, Contract("small", SMALL))
    assert path.read_text(encoding="utf-8") == TEXT
    path.chmod(0o640)
    write(path, Contract("small", Catalog()))
    assert read(path) == Contract("small", Catalog())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ContractError, match="cannot be written"):
        write(tmp_path / "missing" / "contract.toml", Contract("small", SMALL))


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    """The file it leads to is replaced."""
    real, link = tmp_path / "real.toml", tmp_path / "contract.toml"
    real.touch()
    link.symlink_to(real)
    write(link, Contract("small", SMALL))
    assert link.is_symlink()
    assert read(real).system == "small"


@pytest.mark.parametrize("content", [TEXT.encode("utf-16"), TEXT.encode() + b"\xff"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    """The byte is named."""
    path = tmp_path / "contract.toml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="not UTF-8") as raised:
        read(path)
    assert "byte" in str(raised.value.where)


def test_line_endings_of_a_checkout_do_not_matter(tmp_path: Path) -> None:
    """Git may turn line ends into CRLF, an editor may add a byte order mark: the contract stays what it is."""
    path = tmp_path / "contract.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert read(path) == Contract("small", SMALL)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """The remedy names the command."""
    with pytest.raises(ContractError) as raised:
        read(tmp_path / "contract.toml")
    assert "pgcontract freeze" in str(raised.value.remedy)


def test_two_constraints_of_one_name_cannot_be_written() -> None:
    """They would be one line: an error, not a lost promise."""
    twice = replace(SMALL, tables=(replace(TABLE, checks=(Check("messages_pkey", "true"),)),))
    with pytest.raises(ContractError, match="same name"):
        dumps(Contract("small", twice))
