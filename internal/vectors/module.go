//go:build none

package vectors

import _ "github.com/c2sp/wycheproof" // never built: it keeps the module in go.mod
