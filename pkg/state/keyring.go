package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

// ErrSeal is why a sealed value cannot be opened: it was altered, made for another purpose, or sealed with an unknown key.
var ErrSeal = errors.New("sealed value is not valid")

const (
	keySize = 32 // AES-256
	kidSize = 4  // enough to tell the few keys of a ring apart
)

// Keyring seals with its first key and opens with any. It is immutable and safe for concurrent use.
type Keyring struct {
	keys []ringKey
}

type ringKey struct {
	kid  [kidSize]byte
	aead cipher.AEAD
}

// NewKeyring makes a ring of 32-byte keys; the first one seals, all of them open, so a key is rotated by putting the new one
// first and removing the old one when everything sealed with it has expired.
func NewKeyring(keys ...[]byte) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs at least one key")
	}
	ring := &Keyring{}
	for i, k := range keys {
		if len(k) != keySize {
			return nil, fmt.Errorf("key %d has %d bytes, want %d", i+1, len(k), keySize)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(k)
		ring.keys = append(ring.keys, ringKey{kid: [kidSize]byte(sum[:kidSize]), aead: aead})
	}
	return ring, nil
}

// ParseKeyring reads keys as text: one base64 key (standard or URL alphabet) per line, blank lines and # comments ignored.
// Errors name the line, never its contents.
func ParseKeyring(text string) (*Keyring, error) {
	var keys [][]byte
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(line)
		key, err := base64.RawStdEncoding.DecodeString(line)
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("line %d of the key is not base64 of %d bytes; make one with: openssl rand -base64 %d", n, keySize, keySize)
		}
		keys = append(keys, key)
	}
	return NewKeyring(keys...)
}

// LoadKeyring reads the keyring from a file.
func LoadKeyring(path string) (*Keyring, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ring, err := ParseKeyring(string(text))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return ring, nil
}

// MakeKeyring reads the keyring of a state folder, and makes it (0600, written whole or not at all) on first use.
func MakeKeyring(dir string) (*Keyring, error) {
	path := filepath.Join(dir, "keys")
	ring, err := LoadKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	text := "# Seals session ids and cursors. Share it between replicas; put a new key on top to rotate.\n" +
		base64.StdEncoding.EncodeToString(key) + "\n"
	if err := maybe.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	return LoadKeyring(path) // what is on disk counts, also when two processes raced
}

// Seal encrypts and authenticates plain for one purpose. The result is base64url, hence visible ASCII.
func (r *Keyring) Seal(purpose string, plain []byte) string {
	k := r.keys[0]
	out := make([]byte, 0, kidSize+len(plain)+k.aead.Overhead())
	out = append(out, k.kid[:]...)
	out = k.aead.Seal(out, nil, plain, []byte(purpose)) //nolint:gosec // G407: the AEAD draws a nonce of its own
	return base64.RawURLEncoding.EncodeToString(out)
}

// Open reverses Seal, or returns ErrSeal.
func (r *Keyring) Open(purpose, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) < kidSize {
		return nil, ErrSeal
	}
	kid := [kidSize]byte(raw[:kidSize])
	for _, k := range r.keys {
		if k.kid != kid {
			continue
		}
		if plain, err := k.aead.Open(nil, nil, raw[kidSize:], []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSeal
}
