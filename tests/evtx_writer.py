"""Writes small EVTX files, so that no binary sample stands in the repository; and files damaged on purpose.

Source: [MS-EVEN6] 2.2.12-2.2.18 (BinXml), libevtx "Windows XML Event Log (EVTX)" (file, chunk and record headers).
"""

import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

FILE_HEADER = 4096
CHUNK = 65536
CHUNK_HEADER = 512
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
WHEN = datetime(2026, 3, 1, 8, 15, 30, 123456, tzinfo=UTC)
#: types of substitution values
STRING, UINT16, UINT32, BINXML = 0x01, 0x06, 0x08, 0x21


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template that the record's value number `index` fills."""

    index: int
    type: int = STRING


@dataclass(frozen=True, slots=True)
class Element:
    """An XML element; text and slots may stand as attribute values and as children."""

    name: str
    attributes: Mapping[str, "str | Slot"] = field(default_factory=dict)
    children: Sequence["Element | str | Slot"] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What a Windows event says. `data`: named values; `user_data`: instead of EventData, any element."""

    record_id: int
    event_id: int = 1
    provider: str = "Microsoft-Windows-Sysmon"
    channel: str = "Microsoft-Windows-Sysmon/Operational"
    computer: str = "ws01.example.com"
    when: datetime = WHEN
    level: int = 4
    keywords: str = "0x8000000000000000"
    data: Mapping[str, str] = field(default_factory=dict)
    user_data: Element | None = None

    def tree(self) -> Element:
        """Give the event as an element tree without slots."""
        time = self.when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        system = Element(
            "System",
            {},
            (
                Element("Provider", {"Name": self.provider}),
                Element("EventID", {}, (str(self.event_id),)),
                Element("Level", {}, (str(self.level),)),
                Element("Keywords", {}, (self.keywords,)),
                Element("TimeCreated", {"SystemTime": time}),
                Element("EventRecordID", {}, (str(self.record_id),)),
                Element("Channel", {}, (self.channel,)),
                Element("Computer", {}, (self.computer,)),
            ),
        )
        if self.user_data is not None:
            content = Element("UserData", {}, (self.user_data,))
        else:
            named = tuple(Element("Data", {"Name": name}, (value,)) for name, value in self.data.items())
            content = Element("EventData", {}, named)
        return Element("Event", {"xmlns": NAMESPACE}, (system, content))


def evtx(*chunks: Sequence[Record], template: bool = False, dirty: bool = False) -> bytes:
    """Give a whole file, a chunk for each list of records; with `template` texts are values of a template."""
    made = [chunk(records, template=template) for records in chunks]
    return file_header(len(made), dirty=dirty) + b"".join(made)


def file_header(chunks: int, *, dirty: bool = False) -> bytes:
    """Give the 4,096 bytes before the first chunk."""
    fixed = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, max(chunks - 1, 0), 1, 128, 1, 3, FILE_HEADER, chunks)
    fixed = fixed.ljust(120, b"\0")
    return (fixed + struct.pack("<II", int(dirty), zlib.crc32(fixed))).ljust(FILE_HEADER, b"\0")


def chunk(records: Sequence[Record], *, template: bool = False) -> bytes:
    """Give one chunk of 65,536 bytes with right checksums; raises ValueError when the records do not fit."""
    writer = ChunkWriter()
    for record in records:
        tree = record.tree()
        writer.add(record.record_id, record.when, *(_slots(tree) if template else (tree, None)))
    return writer.bytes([record.record_id for record in records])


def raw_chunk(*bodies: bytes) -> bytes:
    """Give a chunk whose records hold these BinXml bytes, record ids from 1 on."""
    writer = ChunkWriter()
    for number, body in enumerate(bodies, 1):
        writer.add_raw(number, WHEN, body)
    return writer.bytes(list(range(1, len(bodies) + 1)))


def nested(levels: int, slots: int) -> bytes:
    """Give a chunk with one record: a template that shows its value `slots` times, the value being such a template."""
    writer = ChunkWriter()
    start = writer.open(1, WHEN)

    def build(level: int) -> None:
        kind = BINXML if level < levels else STRING
        writer.data += b"\x0f\x01\x01\x00"
        writer.template(Element(f"E{level}", {}, tuple(Slot(0, kind) for _ in range(slots))))
        writer.data += struct.pack("<IHBB", 1, 0, kind, 0)
        begin = len(writer.data)
        if level < levels:
            build(level + 1)
        else:
            writer.data += "boom".encode("utf-16-le")
        struct.pack_into("<H", writer.data, begin - 4, len(writer.data) - begin)
        writer.data += b"\0"

    build(0)
    writer.close(start)
    return writer.bytes([1])


def seal(data: bytes) -> bytes:
    """Make a changed chunk's checksums right again."""
    free = struct.unpack_from("<I", data, 48)[0]
    fixed = bytearray(data)
    struct.pack_into("<I", fixed, 52, zlib.crc32(fixed[CHUNK_HEADER:free]))
    struct.pack_into("<I", fixed, 124, zlib.crc32(fixed[128:CHUNK_HEADER], zlib.crc32(fixed[:120])))
    return bytes(fixed)


def filetime(when: datetime) -> int:
    """Give 100 ns since 1601."""
    return (when - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


class ChunkWriter:
    """A chunk while it is written; names and templates stand where they are first used."""

    def __init__(self) -> None:
        self.data = bytearray(CHUNK_HEADER)
        self.names: dict[str, int] = {}
        self.templates: dict[str, int] = {}
        self.last = CHUNK_HEADER

    def add(self, number: int, when: datetime, tree: Element, values: Sequence[str] | None) -> None:
        start = self.open(number, when)
        self.data += b"\x0f\x01\x01\x00"
        if values is None:
            self._element(tree, in_template=False)
        else:
            self.template(tree)
            self.data += struct.pack("<I", len(values))
            encoded = [value.encode("utf-16-le") for value in values]
            self.data += b"".join(struct.pack("<HBB", len(value), STRING, 0) for value in encoded)
            self.data += b"".join(encoded)
        self.data += b"\x00"
        self.close(start)

    def add_raw(self, number: int, when: datetime, body: bytes) -> None:
        start = self.open(number, when)
        self.data += body
        self.close(start)

    def bytes(self, numbers: Sequence[int]) -> bytes:
        if len(self.data) > CHUNK:
            msg = f"{len(self.data):,} bytes of records do not fit into a chunk"
            raise ValueError(msg)
        first, last = (numbers[0], numbers[-1]) if numbers else (1, 0)
        free = len(self.data)
        struct.pack_into("<8sQQQQIII", self.data, 0, b"ElfChnk\0", first, last, first, last, 128, self.last, free)
        return seal(bytes(self.data.ljust(CHUNK, b"\0")))

    def open(self, number: int, when: datetime) -> int:
        self.last = len(self.data)
        self.data += struct.pack("<4sIQQ", b"**\0\0", 0, number, filetime(when))
        return self.last

    def close(self, start: int) -> None:
        self.data += b"\0" * (-(len(self.data) + 4) % 8)
        size = len(self.data) + 4 - start
        self.data += struct.pack("<I", size)
        struct.pack_into("<I", self.data, start + 4, size)

    def _name(self, name: str) -> None:
        """Write the offset of a name, and the name itself when it is new."""
        here = len(self.data) + 4
        self.data += struct.pack("<I", self.names.setdefault(name, here))
        if self.names[name] == here:
            hashed = 0
            for char in name:
                hashed = (hashed * 65599 + ord(char)) & 0xFFFFFFFF
            self.data += struct.pack("<IHH", 0, hashed & 0xFFFF, len(name)) + name.encode("utf-16-le") + b"\0\0"

    def _element(self, element: Element, *, in_template: bool) -> None:
        self.data += b"\x41" if element.attributes else b"\x01"
        if in_template:
            self.data += b"\xff\xff"  # depends on no slot
        size_at = len(self.data)
        self.data += b"\0\0\0\0"
        self._name(element.name)
        if element.attributes:
            list_at = len(self.data)
            self.data += b"\0\0\0\0"
            for place, (name, value) in enumerate(element.attributes.items(), 1):
                self.data += b"\x46" if place < len(element.attributes) else b"\x06"
                self._name(name)
                self._value(value)
            struct.pack_into("<I", self.data, list_at, len(self.data) - list_at - 4)
        if element.children:
            self.data += b"\x02"
            for child in element.children:
                if isinstance(child, Element):
                    self._element(child, in_template=in_template)
                else:
                    self._value(child)
            self.data += b"\x04"
        else:
            self.data += b"\x03"
        struct.pack_into("<I", self.data, size_at, len(self.data) - size_at - 4)

    def _value(self, value: str | Slot) -> None:
        if isinstance(value, Slot):
            self.data += struct.pack("<BHB", 0x0E, value.index, value.type)
        else:
            text = value.encode("utf-16-le")
            self.data += struct.pack("<BBH", 0x05, STRING, len(text) // 2) + text

    def template(self, tree: Element) -> None:
        """Write a template instance, and the definition when it is new."""
        key = repr(tree)
        guid = uuid.uuid5(uuid.NAMESPACE_URL, key).bytes_le
        here = len(self.data) + 10
        known = self.templates.setdefault(key, here)
        self.data += b"\x0c\x01" + guid[:4] + struct.pack("<I", known)
        if known == here:
            self.data += b"\0\0\0\0" + guid + b"\0\0\0\0"
            start = len(self.data)
            self.data += b"\x0f\x01\x01\x00"
            self._element(tree, in_template=True)
            self.data += b"\x00"
            struct.pack_into("<I", self.data, start - 4, len(self.data) - start)


def _slots(tree: Element) -> tuple[Element, list[str]]:
    """Put slots where a tree has element text; give the tree and the texts."""
    texts: list[str] = []

    def walk(element: Element) -> Element:
        children: list[Element | str | Slot] = []
        for child in element.children:
            if isinstance(child, Element):
                children.append(walk(child))
            elif isinstance(child, str):
                children.append(Slot(len(texts)))
                texts.append(child)
            else:
                children.append(child)
        attributes: dict[str, str | Slot] = {}
        for name, value in element.attributes.items():
            if name == "SystemTime" and isinstance(value, str):
                attributes[name] = Slot(len(texts))
                texts.append(value)
            else:
                attributes[name] = value
        return Element(element.name, attributes, tuple(children))

    return walk(tree), texts
