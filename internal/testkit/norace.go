//go:build !race

package testkit

// RaceEnabled tells that the tests run under the race detector, and so the binary should too.
const RaceEnabled = false
