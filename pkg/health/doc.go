// Package health tells balancers, orchestrators and people how the gateway is: /health with the whole report, /health/live,
// which depends on nothing outside the process, and /health/ready, which depends on the configuration and on draining alone.
//
//	configuration not loaded ─► unhealthy (503)     no servers ─► degraded     all healthy ─► healthy
//	more than half healthy ───► degraded  (200)     otherwise ──► unhealthy (503)
//
// How much a report shows is the [Level]; keys never change with it, for monitoring reads them. What is reported comes from
// a [Source], whose texts are sanitised where they are stored (package redact). All handlers are safe for concurrent use.
package health
