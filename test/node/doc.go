// Package node finds Node.js and the npm packages that test/package-lock.json pins, for the tests that run the
// official conformance suite and the official TypeScript clients and servers.
//
// The packages are installed by `npm ci` in the folder test, which `make conformance` and `make interop` do first.
// Nothing here downloads anything.
package node
