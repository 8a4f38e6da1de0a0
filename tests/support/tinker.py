"""Google Tink as the second implementation of all that is sealed: it gets the key sets that we export."""

from __future__ import annotations

import io

from tink import aead, json_proto_keyset_format, mac, proto_keyset_format, secret_key_access, streaming_aead

from undercroft.encryption.tink_keysets import to_binary, to_json

for room in (aead, mac, streaming_aead):
    room.register()


def handle(keys, form="json"):
    """Tink's own view of a key set, read from its text or its binary form."""
    token = secret_key_access.TOKEN
    if form == "json":
        return json_proto_keyset_format.parse(to_json(keys), token)
    return proto_keyset_format.parse(to_binary(keys), token)


def tink_aead(keys, form="json"):
    """Tink's AEAD with these keys."""
    return handle(keys, form).primitive(aead.Aead)


def tink_mac(keys, form="json"):
    """Tink's MAC with these keys."""
    return handle(keys, form).primitive(mac.Mac)


class TinkStreams:
    """Tink's streams with these keys."""

    def __init__(self, keys, form="json"):
        self._streams = handle(keys, form).primitive(streaming_aead.StreamingAead)

    def seal(self, plain, associated_data):
        """The sealed stream."""
        sealed = _KeptOpen()
        with self._streams.new_encrypting_stream(sealed, associated_data) as stream:
            stream.write(plain)
        return sealed.getvalue()

    def open(self, sealed, associated_data):
        """What was sealed."""
        with self._streams.new_decrypting_stream(io.BytesIO(sealed), associated_data) as stream:
            return stream.read()


class _KeptOpen(io.BytesIO):
    def close(self):
        """Tink closes what it writes to, and its bytes would be gone."""
