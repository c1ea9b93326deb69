"""Writes small dictionaries in dictd's format: an index and a dictzip file."""

import struct
import zlib

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def number(value):
    """Base 64 as dictd writes it, by repeated division."""
    digits = LETTERS[value % 64]
    while value := value // 64:
        digits = LETTERS[value % 64] + digits
    return digits


def dictzip(raw, chunk=40):
    """gzip with the random-access field of dictzip: one deflate stream, flushed at the end of every chunk."""
    deflate = zlib.compressobj(wbits=-15)
    parts = []
    for start in range(0, len(raw), chunk):
        parts.append(deflate.compress(raw[start : start + chunk]) + deflate.flush(zlib.Z_FULL_FLUSH))
    sizes = struct.pack(f"<HHH{len(parts)}H", 1, chunk, len(parts), *map(len, parts))
    extra = b"RA" + struct.pack("<H", len(sizes)) + sizes
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x02\x03" + struct.pack("<H", len(extra)) + extra
    return head + b"".join(parts) + deflate.flush() + struct.pack("<II", zlib.crc32(raw), len(raw))


def dictionary(folder, entries, *, name="toy", suffix=".dict.dz", metadata=True):
    """Write NAME.index and its text; ``entries`` are (headwords, text)."""
    entries = [(["00databaseshort"], "00-database-short\n     Toy dictionary\n"), *entries] if metadata else entries
    raw, lines = b"", []
    for headwords, text in entries:
        data = text.encode()
        lines += [f"{headword}\t{number(len(raw))}\t{number(len(data))}\n" for headword in headwords]
        raw += data
    (folder / f"{name}{suffix}").write_bytes(dictzip(raw) if suffix == ".dict.dz" else raw)
    index = folder / f"{name}.index"
    index.write_text("".join(sorted(lines)), encoding="utf-8")
    return index
