package protocol

import (
	"io"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

func TestAnswersTakeTheClientsID(t *testing.T) {
	response := func(raw string) *Answer {
		m, err := wire.Skim([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return &Answer{Message: m}
	}
	tests := []struct {
		rule   string
		answer *Answer
		want   string
	}{
		{"a result", response(`{"x":1, "id":7,"result":{"id":7},"jsonrpc":"2.0"}`), `{"x":1, "id":"a","result":{"id":7},"jsonrpc":"2.0"}`},
		{"an error whose id is null", response(`{"jsonrpc":"2.0","id":null,"error":{}}`), `{"jsonrpc":"2.0","id":"a","error":{}}`},
		{"an error without an id", response(`{"jsonrpc":"2.0","error":{}}`), `{"id":"a","jsonrpc":"2.0","error":{}}`},
		{"an error without an id behind white space", response(` {"jsonrpc":"2.0","error":{}}`), ` {"id":"a","jsonrpc":"2.0","error":{}}`},
		{"a result of the gateway", &Answer{Result: []byte(`{}`)}, `{"jsonrpc":"2.0","id":"a","result":{}}`},
		{"an error of the gateway", &Answer{Err: &Error{Code: -1, Message: `"`, Data: []byte(`{"d":1}`), Cause: io.EOF}}, `{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"\"","data":{"d":1}}}`},
		{"a stream", &Answer{Stream: io.NopCloser(strings.NewReader(`{"result":1,"jsonrpc":"2.0","id":7}`))}, `{"result":1,"jsonrpc":"2.0","id":"a"}`},
		{"a stream that breaks", &Answer{Stream: io.NopCloser(strings.NewReader(`{"result":1,`))}, `{"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"the server's answer could not be read to its end"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			freed := 0
			tt.answer.Free = func() { freed++ }
			if got := string(tt.answer.Whole([]byte(`"a"`))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.answer.Close(); freed != 1 {
				t.Errorf("freed %d times", freed)
			}
		})
	}
}
