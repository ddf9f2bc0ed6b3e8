// Package redact makes failures safe to show. A failure has a closed [Code] with a fixed sentence, which leaks nothing by
// construction, and a text of whoever failed, which [Text] and [Redactor] clean of credentials, addresses, paths and names of
// hosts and people.
//
//	error ──► Classify ──► Code ──► Sentence          for everybody
//	error ──► Redactor.Text ──► short clean text      for operators
//
// Text is cleaned once, where an error is stored, so that health, logs, metrics, console and command line all show the same.
// Cleaning is layered, and leans towards taking too much: what is known to be secret goes first, then what its form or its
// neighbours give away, then what merely looks random.
//
//	cap ► unquote, strip ► known secrets ► forms ► named values ► paths ► addresses ► random runs ► hosts ► numbers ► glue ► cut
//
// Everything here is a pure function or an immutable value, safe for concurrent use.
package redact
