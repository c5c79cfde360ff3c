==> checks.go <==
package main

import (
	"fmt"
	"os"
	"reflect"
)

var checks, failedChecks int

// check says in a line of TAP whether actual is what was expected.
func check[T any](name string, actual, expected T) {
	checks++
	if reflect.DeepEqual(actual, expected) {
		fmt.Printf("ok %d - %s\n", checks, name)
		return
	}
	failedChecks++
	fmt.Printf("not ok %d - %s\n# expected: %#v\n# actual:   %#v\n", checks, name, expected, actual)
}

func main() {
	{{tests}}
	fmt.Printf("1..%d\n", checks)
	if failedChecks > 0 || checks == 0 {
		os.Exit(1)
	}
}
==> code.go <==
{{code}}
