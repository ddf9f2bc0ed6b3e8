package wire

import "testing"

func TestBuffersAreReusedUpToAMegabyte(t *testing.T) {
	b := GetBuffer()
	b.B = append(b.B, "used"...)
	b.Free()
	for range 100 {
		b = GetBuffer()
		if len(b.B) != 0 || cap(b.B) > keepBuffer {
			t.Fatalf("a buffer of length %d and capacity %d", len(b.B), cap(b.B))
		}
		b.B = make([]byte, keepBuffer+1)
		b.Free()
	}
}
