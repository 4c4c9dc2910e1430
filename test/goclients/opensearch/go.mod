module github.com/vecgate/vecgate/test/goclients/opensearch

go 1.26.8

require github.com/opensearch-project/opensearch-go/v4 v4.8.1

require (
	github.com/vecgate/vecgate/test/goclients/day v0.0.0
	golang.org/x/sync v0.23.0 // indirect
)

replace github.com/vecgate/vecgate/test/goclients/day => ../day
