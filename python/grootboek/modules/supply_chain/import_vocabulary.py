"""Words of the Core Business Vocabulary 2.0, and how documents spell them."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

__all__ = [
    "BIZ_STEP",
    "BIZ_TRANSACTION",
    "CONTEXT",
    "DISPOSITION",
    "ERROR_REASON",
    "SOURCE_DEST",
    "Vocabulary",
]
__all__ += ["expand"]

CONTEXT: Final = {
    "cbv": "https://ref.gs1.org/cbv/",
    "cbvmda": "urn:epcglobal:cbv:mda:",
    "epcis": "https://ref.gs1.org/epcis/",
    "gs1": "https://gs1.org/voc/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
"""Prefixes that the EPCIS 2.0 JSON-LD context defines."""


class Vocabulary(Struct, frozen=True):
    """One vocabulary: its words and the spellings of them."""

    field: str
    web: str
    """``BizStep`` in ``https://ref.gs1.org/cbv/BizStep-shipping``."""
    urn: str
    """``bizstep`` in ``urn:epcglobal:cbv:bizstep:shipping``."""
    words: frozenset[str]

    def word(self, text: str, context: Mapping[str, str]) -> str | None:
        """The bare word, or the full URI of a word of another vocabulary; None where it is neither."""
        if text in self.words:
            return text
        full = expand(text.strip(), context)
        for host in ("https://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/", "http://ns.gs1.org/cbv/"):
            full = full.removeprefix(f"{host}{self.web}-")
        bare = full.removeprefix(f"urn:epcglobal:cbv:{self.urn}:")
        if bare in self.words:
            return bare
        return full if ":" in full and bare == full else None

    def uri(self, word: str) -> str:
        """The word's URI, as event hashes have it."""
        return f"{CONTEXT['cbv']}{self.web}-{word}" if word in self.words else word


def expand(text: str, context: Mapping[str, str]) -> str:
    """A compact URI or a term of the context in full (JSON-LD 1.1, section 5.2); other text as it is."""
    prefix, colon, rest = text.partition(":")
    if not colon:
        return context.get(text, text)
    known = context.get(prefix)
    return known + rest if known is not None and not rest.startswith("//") else text


def _vocabulary(field: str, web: str, urn: str, words: str) -> Vocabulary:
    return Vocabulary(field, web, urn, frozenset(words.split()))


BIZ_STEP: Final = _vocabulary(
    "bizStep",
    "BizStep",
    "bizstep",
    "accepting arriving assembling collecting commissioning consigning creating_class_instance"
    " cycle_counting decommissioning departing destroying disassembling dispensing encoding"
    " entering_exiting holding inspecting installing killing loading other packing picking receiving"
    " removing repackaging repairing replacing reserving retail_selling sampling sensor_reporting"
    " shipping staging_outbound stock_taking stocking storing transporting unloading unpacking"
    " void_shipping",
)
DISPOSITION: Final = _vocabulary(
    "disposition",
    "Disp",
    "disp",
    "active available completeness_inferred completeness_verified conformant container_closed"
    " container_open damaged destroyed dispensed disposed encoded expired in_progress in_transit"
    " inactive mismatch_class mismatch_instance mismatch_quantity needs_replacement no_pedigree_match"
    " non_conformant non_sellable_other partially_dispensed recalled reserved retail_sold returned"
    " sellable_accessible sellable_not_accessible stolen unavailable unknown",
)
BIZ_TRANSACTION: Final = _vocabulary(
    "bizTransactionList",
    "BTT",
    "btt",
    "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt",
)
SOURCE_DEST: Final = _vocabulary("sourceList", "SDT", "sdt", "owning_party possessing_party location")
ERROR_REASON: Final = _vocabulary("errorDeclaration", "ER", "er", "did_not_occur incorrect_data")
