package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// maxFrame bounds what either side of a WebSocket takes.
const maxFrame = 1 << 20

// readFrame reads one unfragmented WebSocket frame (RFC 6455 §5.2) and returns its opcode and unmasked payload.
func readFrame(reader *bufio.Reader) (byte, []byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return 0, nil, err
	}
	length := uint64(head[1] & 0x7f)
	switch length {
	case 126:
		var more [2]byte
		if _, err := io.ReadFull(reader, more[:]); err != nil {
			return 0, nil, err
		}
		length = uint64(binary.BigEndian.Uint16(more[:]))
	case 127:
		return 0, nil, errors.New("a frame of 64 kB or more")
	}
	if length > maxFrame {
		return 0, nil, errors.New("a frame that is too large")
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(reader, mask[:]); err != nil {
			return 0, nil, err
		}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(reader, payload); err != nil {
		return 0, nil, err
	}
	for index := range payload {
		payload[index] ^= mask[index%4]
	}
	return head[0] & 0x0f, payload, nil
}

// frame makes one final frame; a client's is masked, with a key of zeros, which costs nothing and is allowed in a benchmark.
func frame(opcode byte, payload []byte, masked bool) []byte {
	bytes := []byte{0x80 | opcode}
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	if len(payload) < 126 {
		bytes = append(bytes, bit|byte(len(payload)))
	} else {
		bytes = append(bytes, bit|126)
		bytes = binary.BigEndian.AppendUint16(bytes, uint16(len(payload)))
	}
	if masked {
		bytes = append(bytes, 0, 0, 0, 0)
	}
	return append(bytes, payload...)
}
