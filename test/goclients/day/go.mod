module github.com/vecgate/vecgate/test/goclients/day

go 1.26.8
