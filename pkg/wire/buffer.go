package wire

import (
	"math/bits"
	"sync"
)

const (
	newBuffer  = 4 << 10 // capacity of a fresh pooled buffer
	keepBuffer = 1 << 20 // larger buffers are left to the garbage collector
)

// Buffer is a byte slice from a pool. Use B freely, also replace it by a grown one; then Free it.
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return &Buffer{B: make([]byte, 0, newBuffer)} }}

// GetBuffer returns a buffer whose B is empty.
func GetBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Free gives the buffer back to the pool, unless it has grown over 1 MiB. Nothing may refer to B's memory afterwards.
func (b *Buffer) Free() {
	if cap(b.B) > keepBuffer {
		return
	}
	b.B = b.B[:0]
	buffers.Put(b)
}

// slabs are buffers of exactly 1<<class bytes, for the readers of streams: one waits with a small buffer of its own and
// borrows a slab while it takes in a larger message.
var slabs [21]sync.Pool

// getSlab returns a buffer of the given size, a power of two. Its contents are undefined.
func getSlab(size int) *Buffer {
	if size <= keepBuffer {
		if b, ok := slabs[bits.TrailingZeros(uint(size))].Get().(*Buffer); ok {
			return b
		}
	}
	return &Buffer{B: make([]byte, size)}
}

// freeSlab gives a buffer from getSlab back.
func freeSlab(b *Buffer) {
	if len(b.B) <= keepBuffer {
		slabs[bits.TrailingZeros(uint(len(b.B)))].Put(b)
	}
}
