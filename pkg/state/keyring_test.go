package state

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ring(t *testing.T, seeds ...byte) *Keyring {
	t.Helper()
	var keys [][]byte
	for _, s := range seeds {
		keys = append(keys, bytes.Repeat([]byte{s}, keySize))
	}
	r, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealRoundTrip(t *testing.T) {
	r := ring(t, 1)
	sealed := r.Seal("session", []byte("hello"))
	if strings.Contains(sealed, "hello") {
		t.Error("plain text shows in the sealed value")
	}
	if again := r.Seal("session", []byte("hello")); again == sealed {
		t.Error("sealing twice gives the same value: the nonce is not random")
	}
	plain, err := r.Open("session", sealed)
	if err != nil || string(plain) != "hello" {
		t.Fatalf("Open = %q, %v", plain, err)
	}
}

func TestOpenRefusesForgeries(t *testing.T) {
	r := ring(t, 1)
	sealed := r.Seal("session", []byte("hello"))
	raw, _ := base64.RawURLEncoding.DecodeString(sealed)
	for i := range raw {
		for bit := range 8 {
			forged := bytes.Clone(raw)
			forged[i] ^= 1 << bit
			if _, err := r.Open("session", base64.RawURLEncoding.EncodeToString(forged)); err == nil {
				t.Fatalf("bit %d of byte %d flipped, still opened", bit, i)
			}
		}
	}
	for name, v := range map[string]string{"empty": "", "short": "AAAA", "not base64": "!!", "cut": sealed[:len(sealed)-2]} {
		if _, err := r.Open("session", v); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := r.Open("cursor", sealed); err == nil {
		t.Error("a session id opened as a cursor")
	}
	if _, err := ring(t, 2).Open("session", sealed); err == nil {
		t.Error("opened with another key")
	}
}

func TestRotation(t *testing.T) {
	old, both := ring(t, 1), ring(t, 2, 1)
	sealed := old.Seal("session", []byte("x"))
	if _, err := both.Open("session", sealed); err != nil {
		t.Error("the old key of the ring does not open")
	}
	if _, err := old.Open("session", both.Seal("session", []byte("x"))); err == nil {
		t.Error("the ring seals with its old key")
	}
}

func TestMakeKeyringKeepsItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := OpenDir(dir); err != nil {
		t.Fatal(err)
	}
	first, err := MakeKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "keys"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	second, err := MakeKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open("session", first.Seal("session", nil)); err != nil {
		t.Error("the second run has another key")
	}
}

func TestKeyErrorsNameTheLineNotTheKey(t *testing.T) {
	_, err := ParseKeyring("# comment\n\nc2hvcnRzZWNyZXQ=\n")
	if err == nil || !strings.Contains(err.Error(), "line 3") || strings.Contains(err.Error(), "c2hv") {
		t.Errorf("err = %v", err)
	}
	if _, err := ParseKeyring("# nothing\n"); err == nil {
		t.Error("an empty ring was made")
	}
}

func TestOpenDirRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := OpenDir(path); err == nil {
		t.Error("a file was taken for a folder")
	}
}
