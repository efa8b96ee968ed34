"""The other side of python-agreement.test.ts: reads sessions as JSON, answers with what the `hpack` package makes of them."""

import json
import sys

from hpack import Decoder, Encoder, HPACKError, HeaderTuple, NeverIndexedHeaderTuple


def decode(blocks: list[str]) -> list:
    decoder = Decoder(max_header_list_size=1 << 24)
    answers = []
    for block in blocks:
        try:
            fields = decoder.decode(bytes.fromhex(block), raw=True)
        except HPACKError as error:
            answers.append(f"{type(error).__name__}: {error}")
            break
        answers.append([[name.decode("latin1"), value.decode("latin1")] for name, value in fields])
    return answers


def encode(blocks: list) -> list[str]:
    encoder = Encoder()
    answers = []
    for block in blocks:
        for size in block["tableSizes"]:
            encoder.header_table_size = size
        fields = [
            (NeverIndexedHeaderTuple if kind == "never" else HeaderTuple)(name.encode("latin1"), value.encode("latin1"))
            for name, value, kind in block["lines"]
        ]
        answers.append(encoder.encode(fields, huffman=block["huffman"]).hex())
    return answers


sessions = json.load(sys.stdin)
json.dump({"decoded": [decode(blocks) for blocks in sessions["toDecode"]],
           "encoded": [encode(blocks) for blocks in sessions["toEncode"]]}, sys.stdout)
