// Package state keeps what outlives one process or is shared between replicas: the state folder and the keyring that
// seals what clients carry for us (session ids, cursors).
//
// State that can travel, travels: a sealed value is authenticated and encrypted, so any replica that holds the key can
// serve it and nobody else can make or read one. One machine needs nothing but its state folder, where the key is made on
// first run; several replicas are given the same key by file or variable.
package state
