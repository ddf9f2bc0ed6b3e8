package upstream

import "sync"

// turnstile lets any number of goroutines wait for the next time that something happens. The zero value is ready to use.
type turnstile struct {
	mu   sync.Mutex
	gate chan struct{}
}

// next gives a channel that the next turn closes.
func (t *turnstile) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gate == nil {
		t.gate = make(chan struct{})
	}
	return t.gate
}

// turn lets everybody through who waits.
func (t *turnstile) turn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gate != nil {
		close(t.gate)
		t.gate = nil
	}
}
