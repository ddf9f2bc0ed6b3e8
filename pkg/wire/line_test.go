package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readLines reads all lines.
func readLines(r io.Reader, limit int) ([]string, error) {
	var lines []string
	for reader := NewLineReader(r, limit); ; {
		line, err := reader.Next()
		if err != nil {
			if _, again := reader.Next(); again != err { //nolint:errorlint // the same error is promised
				return lines, errors.New("the error does not stay")
			}
			return lines, err
		}
		lines = append(lines, string(line))
	}
}

func TestLineReader(t *testing.T) {
	const limit = 9000
	long := strings.Repeat("x", limit)
	broken := errors.New("broken")
	for _, test := range []struct {
		rule string
		in   io.Reader
		want []string
		err  error
	}{
		{"LF and CR LF end lines, CR does not", strings.NewReader("a\nb\r\nc\rd\n"), []string{"a", "b", "c\rd"}, io.EOF},
		{"blank lines are skipped", strings.NewReader("\n\r\n \t\na\n\n"), []string{"a"}, io.EOF},
		{"the last line may lack its end", strings.NewReader("a\nb\r"), []string{"a", "b"}, io.EOF},
		{"but not if the stream broke", io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), []string{"a"}, broken},
		{"the limit is allowed", strings.NewReader(long + "\r\n" + long), []string{long, long}, io.EOF},
		{"one byte more is not", strings.NewReader("a\n" + long + "x\nb\n"), []string{"a"}, ErrTooLarge},
		{"nor in the last line", strings.NewReader(long + "x"), nil, ErrTooLarge},
		{"a line without end is given up", iotest.HalfReader(strings.NewReader(long + long + long)), nil, ErrTooLarge},
		{"nothing", strings.NewReader(""), nil, io.EOF},
		{"a stuck stream", stuck{}, nil, io.ErrNoProgress},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, err := readLines(test.in, limit)
			if !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAppendLine(t *testing.T) {
	raw := "{\r\n\"a\":\n\"\\n\"\r}"
	if got, want := string(AppendLine([]byte("x\n"), []byte(raw))), "x\n{  \"a\": \"\\n\" }\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if raw != "{\r\n\"a\":\n\"\\n\"\r}" {
		t.Error("the message itself was changed")
	}
}

func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nb\r\n\r\n\n c\rd\n \nlast"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 300 {
			return // every split is tried
		}
		var want []string
		for line := range strings.SplitSeq(string(stream), "\n") {
			if line = strings.TrimSuffix(line, "\r"); strings.Trim(line, " \t\r\n") != "" {
				want = append(want, line)
			}
		}
		readers := []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream)), iotest.DataErrReader(bytes.NewReader(stream))}
		for i := range stream {
			readers = append(readers, io.MultiReader(bytes.NewReader(stream[:i]), bytes.NewReader(stream[i:])))
		}
		for _, r := range readers {
			got, err := readLines(r, 1<<20)
			if err != io.EOF || !slices.Equal(got, want) { //nolint:errorlint // promised as is
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
	})
}
