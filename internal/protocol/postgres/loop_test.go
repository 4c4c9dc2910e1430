package postgres

import "testing"

// withoutLoops is the name of the test whose worlds have no loops, as on other systems than Linux.
const withoutLoops = "TestSessionsGoOnWithoutLoops"

func TestSessionsGoOnWithoutLoops(t *testing.T) {
	if t.Name() != withoutLoops {
		t.Fatalf("newWorld knows this test as %s", withoutLoops)
	}
	for name, test := range map[string]func(*testing.T){
		"a query":               TestAQueryGoesThroughAndIsWrittenDown,
		"a refusal":             TestARefusedStatementLeavesTheSessionAndItsTransactionRight,
		"notifications":         TestNotificationsReachAnIdleClient,
		"the target goes":       TestATargetThatEndsTheConnectionEndsTheSession,
		"drain":                 TestAnIdleSessionEndsWhenTheGatewayDrains,
		"idle for too long":     TestAnIdleSessionEndsAfterAWhile,
		"pipelines":             TestPipelinesGoOnAfterARefusal,
		"masking":               TestMaskedColumnsAreMaskedOnEveryWay,
		"what is not on record": TestWhatCannotBeWrittenDownDoesNotHappen,
	} {
		t.Run(name, test)
	}
}
