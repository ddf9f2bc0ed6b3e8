package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// Env is the outside world that configuration is read from. The zero Env is the real one: the environment of this
// process and its file system.
type Env struct {
	// Lookup returns a variable of the process environment; nil means os.LookupEnv.
	Lookup func(name string) (string, bool)
	// Names returns the names of all variables, so that a misspelt ONE_MCP_* one can be reported; nil means none.
	Names func() []string
	// ReadFile returns the content of a regular file of at most limit bytes; nil means the file system. It serves
	// mcp.json, .env, config.toml, presets.json and ${file:…}. A missing file is an error that Is fs.ErrNotExist.
	ReadFile func(name string, limit int64) ([]byte, error)
	// NoSubstitution turns off ${VAR} and its relatives (--enable-env-substitution=false).
	NoSubstitution bool
}

// EnvFrom returns the Env of an environment given as a list of "NAME=value", as os.Environ returns it.
// Of a name given twice the last value holds, as for a child process.
func EnvFrom(environ []string) Env {
	vars := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			vars[foldName(runtime.GOOS, name)] = value
		}
	}
	return Env{
		Lookup: func(name string) (string, bool) {
			value, ok := vars[foldName(runtime.GOOS, name)]
			return value, ok
		},
		Names: func() []string {
			names := make([]string, 0, len(vars))
			for name := range vars {
				names = append(names, name)
			}
			return names
		},
	}
}

func (e Env) lookup(name string) (string, bool) {
	if e.Lookup == nil {
		return os.LookupEnv(name)
	}
	return e.Lookup(name)
}

func (e Env) readFile(name string, limit int64) ([]byte, error) {
	if e.ReadFile == nil {
		return readRegular(name, limit)
	}
	return e.ReadFile(name, limit)
}

var (
	errTooLarge   = errors.New("is too large")
	errNotRegular = errors.New("is not a regular file")
)

// readRegular reads a regular file of at most limit bytes. Anything else (a directory, a pipe, a device) is refused
// before it is opened, because opening a pipe would wait for its writer for ever.
func readRegular(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %w", name, errNotRegular)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s %w: more than %d bytes", name, errTooLarge, limit)
	}
	return data, nil
}

// fileReason says in a few constant words why a file could not be read, without the path that errors of os repeat.
func fileReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by this user"
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.Is(err, errNotRegular):
		return errNotRegular.Error()
	default:
		return "cannot be read"
	}
}
