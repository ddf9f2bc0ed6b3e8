package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"runtime"
)

// DefaultDir returns the folder that holds mcp.json when no flag says otherwise: that of 1MCP, ~/.config/1mcp, and on
// Windows ~/AppData/Roaming/1mcp. XDG_CONFIG_HOME is not honoured, because 1MCP does not.
func DefaultDir(env Env) (string, error) { return defaultDir(runtime.GOOS, env) }

func defaultDir(goos string, env Env) (string, error) {
	home, err := homeDir(goos, env)
	if err != nil {
		return "", err
	}
	if goos == "windows" {
		return filepath.Join(home, "AppData", "Roaming", "1mcp"), nil
	}
	return filepath.Join(home, ".config", "1mcp"), nil
}

// DefaultStateDir returns the folder for what the gateway itself remembers (its key, tokens, last lists), one for each
// configuration file: $XDG_STATE_HOME/manifold/<hash>, else ~/.local/state/manifold/<hash>, and on Windows
// %LOCALAPPDATA%\manifold\state\<hash>. Nothing is created.
func DefaultStateDir(configPath string, env Env) (string, error) {
	return defaultStateDir(runtime.GOOS, configPath, env)
}

func defaultStateDir(goos, configPath string, env Env) (string, error) {
	absolute, err := filepath.Abs(configPath)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(absolute))
	name := hex.EncodeToString(sum[:8])
	if goos == "windows" {
		if local, ok := env.lookup("LOCALAPPDATA"); ok && local != "" {
			return filepath.Join(local, "manifold", "state", name), nil
		}
	} else if state, ok := env.lookup("XDG_STATE_HOME"); ok && filepath.IsAbs(state) {
		return filepath.Join(state, "manifold", name), nil
	}
	home, err := homeDir(goos, env)
	if err != nil {
		return "", err
	}
	if goos == "windows" {
		return filepath.Join(home, "AppData", "Local", "manifold", "state", name), nil
	}
	return filepath.Join(home, ".local", "state", "manifold", name), nil
}

func homeDir(goos string, env Env) (string, error) {
	name := "HOME"
	if goos == "windows" {
		name = "USERPROFILE"
	}
	if home, ok := env.lookup(name); ok && home != "" {
		return home, nil
	}
	return "", errors.New(name + " is not set, so there is no home folder")
}
