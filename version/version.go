// Package version holds the release's version.
package version

// Version is the release that this tree builds, as the changelog names it.
const Version = "0.1.0"
