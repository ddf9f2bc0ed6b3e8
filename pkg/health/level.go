package health

import (
	"fmt"
	"math"
)

// Level says how much a report shows.
type Level string

// The levels. The zero Level is Minimal.
const (
	Full    Level = "full"
	Basic   Level = "basic"
	Minimal Level = "minimal"
)

// ParseLevel reads --health-info-level; empty is Minimal.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case Full, Basic, Minimal:
		return l, nil
	case "":
		return Minimal, nil
	}
	return Minimal, fmt.Errorf("health-info-level: %q is not full, basic or minimal", s)
}

func (l Level) memory(m memory) memory {
	switch l {
	case Full:
		return memory{round2(m.Used), round2(m.Total), round2(m.Percentage)}
	case Basic:
		return memory{math.Round(m.Used), math.Round(m.Total), round2(m.Percentage)}
	}
	return memory{}
}

func (l Level) process(p process) process {
	if l == Full {
		return p
	}
	return process{}
}

func (l Level) details(servers []Server) []detail {
	list := []detail{}
	if l != Full && l != Basic {
		return list
	}
	for i := range servers {
		s := &servers[i]
		d := detail{Name: s.Name, Status: s.Status, Healthy: s.healthy(), LastError: s.LastError, Tags: s.Tags}
		if !s.LastConnected.IsZero() {
			d.LastConnected = timestamp(s.LastConnected)
		}
		list = append(list, d)
	}
	return list
}

func (l Level) configuration(c Configuration) Configuration {
	if l == Full || l == Basic {
		return c
	}
	return Configuration{Loaded: c.Loaded, Transport: c.Transport}
}

func round2(x float64) float64 { return math.Round(x*100) / 100 }
