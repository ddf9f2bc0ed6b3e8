package config

import "path/filepath"

// place decides which mcp.json is served, before config.toml beside it is read: --config, else --config-dir, else the
// default folder.
func (r *resolver) place() {
	for _, o := range r.flags.options {
		if o.Name == "config" || o.Name == "config-dir" {
			r.resolve(o)
		}
	}
	switch {
	case r.out.ConfigPath != "":
		r.out.ConfigDir = filepath.Dir(r.out.ConfigPath)
	case r.out.ConfigDir == "":
		dir, err := DefaultDir(r.env)
		if err != nil {
			r.fail("--config", err.Error(), "give --config FILE")
			return
		}
		r.out.ConfigDir = dir
		fallthrough
	default:
		r.out.ConfigPath = filepath.Join(r.out.ConfigDir, "mcp.json")
	}
}

// state decides where the gateway keeps its own state.
func (r *resolver) state() {
	if r.out.StateDir != "" || r.out.ConfigPath == "" {
		return
	}
	dir, err := DefaultStateDir(r.out.ConfigPath, r.env)
	if err != nil {
		r.fail("--state-dir", err.Error(), "give --state-dir FOLDER")
		return
	}
	r.out.StateDir = dir
}
