package upstream

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func TestOutboxTellsSendersThatTheReaderHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		o := newOutbox(w)
		go o.run()
		send := func() error { return o.send(t.Context(), []byte("{\"a\":\n1}")) }
		if err := send(); err != nil { // being written from now on, to nobody
			t.Fatal(err)
		}
		synctest.Wait()
		if err := send(); err != nil {
			t.Errorf("a short stall: %v", err)
		}
		time.Sleep(outboxStall + 1) // fake time
		began := time.Now()
		if err := send(); !errors.Is(err, protocol.ErrBusy) || time.Since(began) != 0 {
			t.Errorf("a long stall: %v after %v", err, time.Since(began))
		}
		got := make([]byte, 100)
		n, _ := io.ReadAtLeast(r, got, 2*len("{\"a\": 1}\n"))
		if want := strings.Repeat("{\"a\": 1}\n", 2); string(got[:n]) != want {
			t.Errorf("written %q, want %q", got[:n], want)
		}
		synctest.Wait()
		if err := send(); err != nil {
			t.Errorf("after it went on: %v", err)
		}
		_ = r.Close()
		<-o.finished
		if err := send(); !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		o := newOutbox(w)
		go o.run()
		var err error
		sent := 0
		for ; err == nil && sent < 10*outboxMessages; sent++ {
			err = o.send(t.Context(), []byte("{}"))
		}
		if !errors.Is(err, protocol.ErrBusy) || sent > 2*outboxMessages+2 { // one batch is being written, one waits
			t.Errorf("%d taken, then %v", sent, err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), outboxWait/2, errors.New("left"))
		defer cancel()
		if err := o.send(ctx, []byte("{}")); !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("a sender that left: %v", err)
		}
		_ = r.Close()
		<-o.finished
	})
}
