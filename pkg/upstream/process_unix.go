//go:build unix

package upstream

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// group is a process group, named by its leader.
type group struct{ id int }

func newGroup(leader *os.Process) group { return group{id: leader.Pid} }

func (g group) terminate() { _ = syscall.Kill(-g.id, syscall.SIGTERM) }
func (g group) kill()      { _ = syscall.Kill(-g.id, syscall.SIGKILL) }
func (g group) release()   {}

// findProgram resolves a name without a slash by the PATH of the child's environment. Any other relative name is relative to
// where the gateway was started, not to the child's working directory.
func findProgram(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return filepath.Abs(name)
	}
	path := "/usr/local/bin:/usr/bin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue // a relative PATH entry would run whatever lies in the working directory
		}
		full := filepath.Join(folder, name)
		if info, err := os.Stat(full); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", exec.ErrNotFound
}
