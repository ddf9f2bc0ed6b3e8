package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// samples are the messages that the benchmarks measure.
var samples = []struct {
	name string
	raw  []byte
}{
	{"call", []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"search","arguments":{"query":"raw cores","limit":10,"exact":false},"_meta":{"progressToken":17}}}`)},
	{"text64k", textResult(64 << 10)},
	{"dense64k", denseResult(64 << 10)},
	{"pretty64k", indented(denseResult(48 << 10))},
	{"escapes64k", escapedResult(64 << 10)},
	{"unicode64k", []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("жизнь без кодировок ", 1800) + `"}]}}`)},
	{"keys100k", keysResult(100_000)},
}

func textResult(size int) []byte {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", size/45+1)[:size]
	return []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + text + `"}],"isError":false}}`)
}

func denseResult(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"rows":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"row %d","price":%d.%02d,"tags":["a","bc"],"stock":{"here":%d,"there":null},"sold":true}`, i, i, i, i%100, i*7)
	}
	b.WriteString(`]}}}`)
	return b.Bytes()
}

func escapedResult(size int) []byte {
	line, _ := json.Marshal("if (a != \"b\") {\n\treturn \"C:\\\\temp\";\n}\n")
	text := strings.Repeat(string(line[1:len(line)-1]), size/len(line))
	return []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + text + `"}]}}`)
}

func keysResult(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"key%d":%d`, i, i)
	}
	b.WriteString(`}}}`)
	return b.Bytes()
}

func indented(raw []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func benchmarkSamples(b *testing.B, run func(raw []byte) bool) {
	for _, sample := range samples {
		b.Run(sample.name, func(b *testing.B) {
			b.SetBytes(int64(len(sample.raw)))
			b.ReportAllocs()
			for b.Loop() {
				if !run(sample.raw) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	benchmarkSamples(b, func(raw []byte) bool { _, err := Parse(raw); return err == nil })
}

func BenchmarkSkim(b *testing.B) {
	benchmarkSamples(b, func(raw []byte) bool { _, err := Skim(raw); return err == nil })
}

// BenchmarkValid is the yardstick for Parse: encoding/json checking grammar alone.
func BenchmarkValid(b *testing.B) { benchmarkSamples(b, json.Valid) }

// BenchmarkUnmarshal is the yardstick for Skim: the usual way to look at an envelope.
func BenchmarkUnmarshal(b *testing.B) {
	benchmarkSamples(b, func(raw []byte) bool {
		var m struct {
			Version               string `json:"jsonrpc"`
			ID                    json.RawMessage
			Method                string
			Params, Result, Error json.RawMessage
		}
		return json.Unmarshal(raw, &m) == nil
	})
}

func BenchmarkSplice(b *testing.B) {
	for _, sample := range samples[:2] {
		b.Run(sample.name, func(b *testing.B) {
			m, err := Parse(sample.raw)
			if err != nil {
				b.Fatal(err)
			}
			var buf []byte
			id := []byte("4711")
			b.SetBytes(int64(len(sample.raw)))
			b.ReportAllocs()
			for b.Loop() {
				edits := [...]Edit{{At: m.ID, With: id}, {At: m.Name, With: id}}
				buf = AppendSplice(buf[:0], sample.raw, edits[:]...)
			}
		})
	}
}

func BenchmarkRelayResponse(b *testing.B) {
	raw := textResult(10 << 20)
	buf := make([]byte, 64<<10)
	id := []byte("4711")
	src := bytes.NewReader(raw)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(raw)
		// The reader is wrapped to keep io.Copy's shortcuts out of the comparison.
		if _, err := RelayResponse(io.Discard, struct{ io.Reader }{src}, id, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventReader(b *testing.B) {
	stream := AppendEvent(nil, Event{Name: "message", ID: "1", HasID: true, Data: textResult(64 << 10)})
	src := bytes.NewReader(nil)
	r := NewEventReader(src, MaxMessage)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(stream)
		r.in.err = nil
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLineReader(b *testing.B) {
	stream := AppendLine(nil, textResult(64<<10))
	src := bytes.NewReader(nil)
	r := NewLineReader(src, MaxMessage)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(stream)
		r.in.err = nil
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
