package identitytest_test

import (
	"testing"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
)

func TestMemoryIsAStore(t *testing.T) {
	identitytest.CheckStore(t, func(*testing.T) identity.Store { return identitytest.NewMemory() })
}
