"""XML from strangers: parsed without DTD, entities, network or unbounded size."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from grootboek.errors import ImportFileError, MissingExtra
from grootboek.modules.importing import Source

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["XML_BYTES", "Node", "looks_like", "parse"]

XML_BYTES: Final = 16 << 20
"""The largest XML document that is read, its attachments left out."""
_DOCTYPE: Final = re.compile(
    rb"[\xef\xbb\xbf\xfe\xff]*(?:\s++|<\?(?>.*?\?>)|<!--(?>.*?-->))*+<!DOCTYPE", re.DOTALL
)
"""A document type declaration; it can stand only before the root element."""
_ATTACHMENT: Final = re.compile(
    rb"""(<(?:[\w.-]+:)?EmbeddedDocumentBinaryObject\b(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>)"""
    rb"[A-Za-z0-9+/=\s]++(?=</)"
)
"""An attached document (BT-125) in base64: nothing that is reported, but most of a large invoice."""
_ENCODED_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Node:
    """An element, asked by paths such as ``cac:Party/cbc:Name``; prefixes are ours, not the document's."""

    def __init__(self, element: "_Element", namespaces: Mapping[str, str]) -> None:
        self._element = element
        self._namespaces = dict(namespaces)

    @property
    def tag(self) -> str:
        """``{namespace}name``."""
        return str(self._element.tag)

    def all(self, path: str) -> "list[Node]":
        """The elements at the path, in document order."""
        return [Node(found, self._namespaces) for found in self._element.findall(path, self._namespaces)]

    def first(self, path: str) -> "Node | None":
        """The first element at the path, or None."""
        found = self._element.find(path, self._namespaces)
        return None if found is None else Node(found, self._namespaces)

    def text(self, path: str = ".") -> str:
        """The text of the first element at the path, spaces collapsed; empty where there is none."""
        found = self._element if path == "." else self._element.find(path, self._namespaces)
        return "" if found is None else " ".join("".join(map(str, found.itertext())).split())

    def attribute(self, name: str) -> str:
        """An attribute's value, or empty."""
        return str(self._element.get(name) or "").strip()


def looks_like(source: Source) -> bool:
    """Whether the content starts as XML does."""
    head = source.head
    for mark in _ENCODED_BOMS:
        head = head.removeprefix(mark)
    return head.replace(b"\0", b"").lstrip()[:1] == b"<"


def parse(source: Source, namespaces: Mapping[str, str]) -> Node:
    """The root element.

    Raises ImportFileError where the document is too large, declares a document type, or is not well
    formed; MissingExtra where lxml is not installed.
    """
    try:
        from lxml import etree  # noqa: PLC0415  # an optional extra, needed by XML importers alone
    except ImportError as error:
        raise MissingExtra('XML needs lxml: pip install "grootboek[import]"') from error
    where = str(source.path)
    data = _ATTACHMENT.sub(rb"\1", source.read())
    if len(data) > XML_BYTES:
        raise ImportFileError(f"larger than {XML_BYTES} bytes without its attachments", where=where)
    if _DOCTYPE.match(data.replace(b"\0", b"")):
        raise ImportFileError("document type declarations are not accepted", where=where)
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ImportFileError(f"not well-formed XML: {error}", where=where) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ImportFileError("document type declarations are not accepted", where=where)
    return Node(root, namespaces)
