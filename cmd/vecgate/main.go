// Command vecgate is the access gateway for vector databases; see internal/cli.
package main

import (
	"os"

	"github.com/vecgate/vecgate/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
