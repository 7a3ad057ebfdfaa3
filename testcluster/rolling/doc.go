// Package rolling restarts and upgrades clusters of real processes under load, node after node, and
// opens the folders that released programs have left. It has nothing but tests; docs/upgrades.md is
// the page for operators, and make upgrade the long run.
package rolling
