package wire

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"sync"
)

const (
	fewKeys    = 32      // keys held on the goroutine's stack
	linearKeys = 16      // up to so many keys of one object are compared one by one
	keepKeys   = 1 << 14 // a larger key set is left to the garbage collector

	// maxScan bounds messages so that offsets fit into 31 bits.
	maxScan = math.MaxInt32

	reasonDuplicate = "duplicate key"
)

// key is one key of an object that is still open, or the mark at the bottom of such an object, whose start is the
// previous base.
type key struct {
	sum        uint64 // seeded hash of the unescaped key: input cannot make keys collide
	start, end uint32 // raw key without quotes, and a flag in the top bit of each
}

const (
	indexedBit = 1 << 31 // in start: the key is in the hash table
	escapedBit = 1 << 31 // in end: the key has escapes
)

// keyset holds the keys of all open objects as one stack, and finds duplicates within the innermost. Objects of more
// than linearKeys keys are also indexed by an open-addressing hash table shared by all of them: since objects close in
// the reverse order of their opening, clearing the slots of the innermost never breaks a probe sequence of the others.
//
// The stack begins in few, inside the keyset, and moves to pooled memory once. There is deliberately no slice that points
// into few: it would make every scanner escape to the heap.
type keyset struct {
	size    int // keys and marks on the stack
	base    int // index of the first key of the innermost object
	indexed int // keys in the hash table
	few     [fewKeys]key
	many    *keyspace
	scratch []byte
}

// keyspace is the memory of a large key set. All its slots are zero while it is in the pool.
type keyspace struct {
	keys  []key // its whole length is usable
	slots []uint32
}

var (
	keyspaces = sync.Pool{New: func() any { return &keyspace{keys: make([]key, 256), slots: make([]uint32, 128)} }}
	keySeed   = maphash.MakeSeed()
)

// open begins an object.
func (k *keyset) open() {
	k.push(key{start: uint32(k.base)})
	k.base = k.size
}

// close ends the innermost object.
func (k *keyset) close() {
	keys := k.stack()
	if k.size-k.base > linearKeys {
		for n := k.base; n < k.size; n++ {
			k.many.slots[k.many.find(keys[n].sum, uint32(n+1))] = 0
			k.indexed--
		}
	}
	k.size = k.base - 1
	k.base = int(keys[k.size].start)
}

// stack returns all keys and marks.
func (k *keyset) stack() []key {
	if k.many != nil {
		return k.many.keys[:k.size]
	}
	return k.few[:k.size]
}

// add records the key b[start:end] in the innermost object and returns it unescaped (valid until the next call), or a
// reason to refuse it.
func (k *keyset) add(b []byte, start, end int, escaped bool) ([]byte, string) {
	text := b[start:end]
	entry := key{start: uint32(start), end: uint32(end)}
	if escaped {
		var ok bool
		if k.scratch, ok = appendUnescaped(k.scratch[:0], text); !ok {
			return nil, reasonSurrogate
		}
		text = k.scratch
		entry.end |= escapedBit
	}
	entry.sum = maphash.Bytes(keySeed, text)
	switch count := k.size - k.base; {
	case count < linearKeys:
		for _, other := range k.stack()[k.base:] {
			if other.sum == entry.sum && other.equal(b, text) {
				return nil, reasonDuplicate
			}
		}
		k.push(entry)
		return text, ""
	case count == linearKeys:
		k.own()
		for n := k.base; n < k.size; n++ {
			k.index(n)
		}
	}
	if k.has(entry.sum, b, text) {
		return nil, reasonDuplicate
	}
	k.push(entry)
	k.index(k.size - 1)
	return text, ""
}

// has looks for a key of the innermost object in the hash table.
func (k *keyset) has(sum uint64, b, text []byte) bool {
	m := k.many
	for i := m.probe(sum); m.slots[i] != 0; i = m.next(i) {
		n := int(m.slots[i]) - 1
		if n >= k.base && m.keys[n].sum == sum && m.keys[n].equal(b, text) {
			return true
		}
	}
	return false
}

// equal reports whether the key is text after unescaping. It is only asked when the sums agree.
func (e key) equal(b, text []byte) bool {
	raw := b[e.start&^indexedBit : e.end&^escapedBit]
	if e.end&escapedBit == 0 {
		return bytes.Equal(raw, text)
	}
	plain, _ := appendUnescaped(nil, raw)
	return bytes.Equal(plain, text)
}

func (k *keyset) push(e key) {
	if k.many == nil {
		if k.size < fewKeys {
			k.few[k.size] = e
			k.size++
			return
		}
		k.own()
	}
	if k.size == len(k.many.keys) {
		k.many.keys = slices.Grow(k.many.keys, k.size)
		k.many.keys = k.many.keys[:cap(k.many.keys)]
	}
	k.many.keys[k.size] = e
	k.size++
}

// own moves the stack to pooled memory.
func (k *keyset) own() {
	if k.many == nil {
		k.many = keyspaces.Get().(*keyspace)
		copy(k.many.keys, k.few[:k.size])
	}
}

// index enters key n into the table, which stays at most half full.
func (k *keyset) index(n int) {
	m := k.many
	if 2*(k.indexed+1) > len(m.slots) {
		// Enter the keys again in the order in which they came: close relies on it.
		m.slots = make([]uint32, 2*len(m.slots))
		for n, e := range m.keys[:k.size] {
			if e.start&indexedBit != 0 {
				m.slots[m.find(e.sum, 0)] = uint32(n + 1)
			}
		}
	}
	m.keys[n].start |= indexedBit
	m.slots[m.find(m.keys[n].sum, 0)] = uint32(n + 1)
	k.indexed++
}

func (m *keyspace) probe(sum uint64) int { return int(sum) & (len(m.slots) - 1) }

func (m *keyspace) next(i int) int { return (i + 1) & (len(m.slots) - 1) }

// find returns the slot with the given content in the probe sequence of sum.
func (m *keyspace) find(sum uint64, content uint32) int {
	i := m.probe(sum)
	for m.slots[i] != content {
		i = m.next(i)
	}
	return i
}

// release gives pooled memory back. The key set must not be used again.
func (k *keyset) release() {
	m := k.many
	if m == nil || len(m.keys) > keepKeys || len(m.slots) > 4*keepKeys {
		return
	}
	if k.indexed > 0 { // an error left objects open
		clear(m.slots)
	}
	keyspaces.Put(m)
}
