// Package monitoring tries docs/alerts.yml and docs/dashboard.json with Prometheus' own code. It is
// a module of its own, because Prometheus brings many others with it.
package monitoring
