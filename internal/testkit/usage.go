package testkit

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what a process has used so far, as the kernel counts it.
type Usage struct {
	// CPU is user and system time of all its threads, in steps of 10 ms.
	CPU time.Duration
	// RSS and PeakRSS are the resident memory now and at most (bytes).
	RSS, PeakRSS int64
}

// clockTick is the unit of times in /proc (USER_HZ), which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// UsageOf reads what a process has used. It needs Linux's /proc.
func UsageOf(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// proc(5): after the name in parentheses, fields 14 and 15 of the line are utime and stime.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3
	for _, i := range []int{utime, stime} {
		ticks, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return u, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		u.CPU += time.Duration(ticks) * clockTick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		kib, _, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
		n, _ := strconv.ParseInt(string(kib), 10, 64)
		switch string(name) {
		case "VmRSS":
			u.RSS = n << 10
		case "VmHWM":
			u.PeakRSS = n << 10
		}
	}
	return u, nil
}
