package wire

import "io"

const (
	waiting  = 4 << 10 // buffer of a stream reader that waits for a message
	maxEmpty = 100     // reads without data or error before io.ErrNoProgress, as in bufio
)

// window is the part of a stream that has been read and not yet consumed: buf[lo:hi].
type window struct {
	r      io.Reader
	buf    []byte
	lo, hi int
	err    error   // sticky, of r
	own    []byte  // buf while there is little to hold
	slab   *Buffer // buf otherwise
}

// fill reads once, at least one byte. The window moves to the front of buf, so offsets relative to lo stay valid and
// absolute ones do not. It grows by doubling, which keeps the time linear.
func (w *window) fill() error {
	if w.err != nil {
		return w.err
	}
	if w.lo == w.hi {
		w.free()
		if w.own == nil {
			w.own = make([]byte, waiting)
		}
		w.buf = w.own
	} else if w.lo > 0 {
		w.hi = copy(w.buf, w.buf[w.lo:w.hi])
		w.lo = 0
	}
	if w.hi == len(w.buf) {
		w.grow()
	}
	for range maxEmpty {
		n, err := w.r.Read(w.buf[w.hi:])
		w.hi += n
		w.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

func (w *window) grow() {
	slab := getSlab(2 * len(w.buf))
	copy(slab.B, w.buf[:w.hi])
	if w.slab != nil {
		freeSlab(w.slab)
	}
	w.slab, w.buf = slab, slab.B
}

// free drops what the window holds.
func (w *window) free() {
	if w.slab != nil {
		freeSlab(w.slab)
		w.slab = nil
	}
	w.buf, w.lo, w.hi = nil, 0, 0
}

// close drops all memory. The window must not be filled again.
func (w *window) close() {
	w.free()
	w.own = nil
}
