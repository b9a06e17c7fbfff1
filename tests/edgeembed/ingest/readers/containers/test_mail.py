"""Mail: decoded headers and bodies, attachments by their own readers, messages one by one."""

import email.message
import mailbox
import os
import tracemalloc

import pytest

from edgeembed.ingest.readers.base.protocol import ReadingSettings, Reason, SkippedError
from edgeembed.ingest.readers.registry import read_file
from helpers.readers.reading import read, read_bytes, told

BODY = "The boiler was serviced by Mr Huber. Grüße – über 100 €\n>From the cellar.\nFrom Ann"


def message(subject="Böiler – service", body=BODY, cte="base64", number=1):
    made = email.message.EmailMessage()
    made["From"] = "Änn Hüber <ann@example.org>"
    made["To"] = "bob@example.org, Cid <cid@example.org>"
    made["Subject"] = subject
    made["Date"] = "Fri, 05 Jan 2024 10:00:00 +0100"
    made["Message-ID"] = f"<{number}@example.org>"
    made.set_content(body, cte=cte)
    return made


@pytest.mark.parametrize("cte", ["base64", "quoted-printable", "8bit"])
def test_headers_and_bodies_are_decoded(tmp_path, cte):
    (block,), remarks = read_bytes(tmp_path, "a.eml", message(cte=cte).as_bytes())
    assert remarks == []
    assert block.part == ""
    assert block.title == "Böiler – service"
    assert block.text.endswith(f"{BODY}\n")
    assert block.text.startswith("From: Änn Hüber <ann@example.org>\nTo: bob@example.org, Cid <")
    assert block.place == {"message": "1@example.org"}
    assert block.metadata == {
        "subject": "Böiler – service",
        "from": "Änn Hüber <ann@example.org>",
        "to": ["bob@example.org", "Cid <cid@example.org>"],
        "date": "2024-01-05T10:00:00+01:00",
    }


def test_attachments_are_read_by_their_own_readers(tmp_path):
    outer = message()
    outer.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="täble.csv")
    outer.add_attachment(b"# Plan\n\nDig.", maintype="text", subtype="plain", filename="plan.md")
    outer.add_attachment(
        os.urandom(3000), maintype="application", subtype="x", filename="../../x.bin"
    )
    outer.add_attachment(message("Inner", "inner text", number=2))
    blocks, remarks = read_bytes(tmp_path, "a.eml", outer.as_bytes())
    assert [block.part for block in blocks] == ["", "täble.csv:2", "plan.md", "Inner.eml"]
    assert blocks[1].text == "a: 1; b: 2"
    assert blocks[1].metadata["a"] == 1
    assert blocks[1].metadata["date"].startswith("2024")
    assert [block.headings for block in blocks[1:3]] == [("täble",), ("plan",)]
    assert blocks[3].metadata["subject"] == "Inner"
    assert told(remarks) == [(Reason.NOT_TEXT, "x.bin")]


def test_of_two_forms_of_a_text_the_plain_one_is_read(tmp_path):
    made = message(body="the plain cat")
    made.add_alternative("<p>the <b>bold</b> cat</p>", subtype="html")
    (block,), _ = read_bytes(tmp_path, "a.eml", made.as_bytes())
    assert "plain cat" in block.text
    assert "bold" not in block.text


def test_a_page_is_read_without_its_tags(tmp_path):
    pytest.importorskip("lxml")
    made = email.message.EmailMessage()
    made["Subject"] = "Page"
    made.set_content("<p>Gr&uuml;&szlig;e, the <b>bold</b> cat €</p>", subtype="html")
    (block,), _ = read_bytes(tmp_path, "a.eml", made.as_bytes())
    assert (block.title, block.text.strip()) == ("Page", "Grüße, the bold cat €")


def test_messages_of_a_mailbox_are_its_parts(tmp_path):
    box = mailbox.mbox(tmp_path / "a.mbox")
    for number in range(3):
        box.add(message(body=f"text {number}\n\nFrom here on\n", number=number))
    box.add(message(body="again", number=1))
    box.flush()
    box.close()
    blocks, remarks = read(tmp_path / "a.mbox")
    assert [block.part for block in blocks] == [f"{n}@example.org" for n in (0, 1, 2, 1)]
    assert [block.place["number"] for block in blocks] == [1, 2, 3, 4]
    assert blocks[0].text.endswith("text 0\n\nFrom here on\n")
    assert told(remarks) == [(Reason.REPEATED, "message 2")]
    # Mail programs give their mailboxes no suffix.
    (tmp_path / "a.mbox").rename(tmp_path / "Inbox")
    assert len(read(tmp_path / "Inbox")[0]) == 4


def test_a_mailbox_is_read_in_the_memory_of_one_message(tmp_path):
    path = tmp_path / "a.mbox"
    data = message(body="the cat sat on the mat\n" * 400).as_bytes()
    with path.open("wb") as file:
        for _ in range(500):
            file.write(b"From ann@example.org Fri Jan  5 10:00:00 2024\n" + data + b"\n")
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_file(path, ReadingSettings()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 500 + 499
    assert peak < 8 << 20


def nested(levels):
    made = message(body="the innermost text")
    for level in range(levels):
        outer = message(f"level {level}", "outer", number=level)
        outer.add_attachment(made)
        made = outer
    return made


def test_mails_in_mails_end_at_a_depth(tmp_path):
    blocks, remarks = read_bytes(tmp_path, "a.eml", nested(8).as_bytes())
    assert len(blocks) == 5
    assert [remark.reason for remark in remarks] == [Reason.TOO_LARGE]
    assert "more than 4 deep" in remarks[0].detail


def deep_parts(levels):
    head = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(levels)
    )
    return f"Subject: deep\n{head}Content-Type: text/plain\n\nthe cat\n"


@pytest.mark.parametrize(
    "data",
    [
        deep_parts(20_000),
        "Subject: x\n" + "To: a@b.c, " * 50_000 + "\n\ntext",
        "Subject: =?utf-8?q?" + "=C3" * 100_000 + "?=\n\ntext",
        "Subject: " + "=?x" * 100_000 + "\n\ntext",
        'Content-Disposition: attachment; filename*0="a' + ";" * 100_000 + "\n\ntext",
        "Content-Type: text/plain; charset=" + "x" * 10_000 + "\n\ntext",
        "Content-Type: text/plain; charset=utf-7\n\n+AAAA-",
        "Content-Transfer-Encoding: base64\n\n" + "=" * 10_000,
        "Date: Mon, 99 Foo 99999999999 99:99:99\nSubject: \ud800\n\ntext".encode(
            "utf-8", "surrogatepass"
        ),
        "",
        "\n\n\n",
    ],
    ids=str.split("deep people word words name charset utf7 base64 date empty lines"),
)
def test_strange_mails_end(tmp_path, data):
    for name in ("a.eml", "a.mbox"):
        try:
            read_bytes(tmp_path, name, data)
        except SkippedError as error:
            assert error.reason in (Reason.DAMAGED, Reason.NOT_TEXT)


def test_a_message_that_is_too_long_costs_that_message(tmp_path, monkeypatch):
    monkeypatch.setattr("edgeembed.ingest.readers.containers.mailbox.MAX_MESSAGE", 3 << 20)
    box = mailbox.mbox(tmp_path / "a.mbox")
    for number, body in enumerate(("one", ("x" * 80 + "\n") * 80_000, "two")):
        box.add(message(body=body, cte="8bit", number=number))
    box.flush()
    box.close()
    blocks, remarks = read(tmp_path / "a.mbox")
    assert [block.text.split()[-1] for block in blocks] == ["one", "two"]
    assert told(remarks) == [(Reason.TOO_LARGE, "message 2")]


def test_what_is_no_mail_of_outlook_is_told(tmp_path):
    pytest.importorskip("oxmsg")
    for data in (b"text", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000)):
        with pytest.raises(SkippedError) as caught:
            read_bytes(tmp_path, "a.msg", data)
        assert caught.value.reason == Reason.DAMAGED


def test_a_header_in_bytes_that_nobody_encoded_is_read(tmp_path):
    data = "Subject: Grüße\nFrom: a@example.org\n\nText.\n".encode("cp1252")
    (block,), _ = read_bytes(tmp_path, "a.eml", data)
    assert block.title == "Grüße"
