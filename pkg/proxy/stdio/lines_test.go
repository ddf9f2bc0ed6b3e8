package stdio

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
)

// What waits for a client that does not read is bounded: messages are dropped, answers wait for room or the end.
func TestPendingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLines()
		msg := bytes.Repeat([]byte("x"), 1<<20)
		taken := 0
		for ; taken < 100 && l.Send(msg); taken++ {
		}
		if taken != maxPending/len(msg) {
			t.Errorf("%d messages of 1 MiB were taken", taken)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone, answered := make(chan struct{}), make(chan struct{})
		go func() { l.answer(ctx, []byte(`"given up"`)); close(gone) }()
		go func() { l.answer(t.Context(), []byte(`"answer"`)); close(answered) }()
		synctest.Wait()
		cancel()
		<-gone
		select {
		case <-answered:
			t.Error("an answer did not wait for room")
		default:
		}
		var out bytes.Buffer
		go l.run(&out)
		<-answered
		l.close()
		<-l.done
		if !bytes.HasSuffix(out.Bytes(), []byte("x\n\"answer\"\n")) || l.Send(msg) {
			t.Errorf("wrote %d bytes", out.Len())
		}
	})
}
