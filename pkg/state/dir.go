package state

import (
	"fmt"
	"os"
)

// OpenDir makes a state folder with mode 0700, or takes an existing one.
func OpenDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("state folder %s is not a folder", path)
	}
	return nil
}
