package guide

import (
	"strings"
	"testing"
)

func TestABlockThatNobodyWouldTestIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"no language":         "```\nvecgate\n```\n",
		"a file without name": "```yaml\na: b\n```\n",
		"an unknown option":   "```sh skip\nvecgate\n```\n",
		"no end":              "```sh\nvecgate\n",
		"indented":            "- x\n  ```sh\n  vecgate\n  ```\n",
	} {
		if blocks, err := Read("g.md", text); err == nil {
			t.Errorf("%s: read as %v", name, blocks)
		}
	}
}

func TestStepsAreCommandsWithWhatTheyPrint(t *testing.T) {
	blocks, err := Read("g.md", "```console terminal=a\ngoes on\n$ one\n> two\nprinted\n$ three\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := blocks[0].steps()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.command+"="+strings.Join(s.prints, "|"))
	}
	if want := "=goes on;one\ntwo=printed;three="; strings.Join(got, ";") != want {
		t.Errorf("steps are %q, want %q", strings.Join(got, ";"), want)
	}
}

func TestWhatIsPrintedIsComparedWithWhatIsShown(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		same           bool
	}{
		{"a b", "a   b \n", true},
		{"a", "a\nb\n", false},
		{"a\nb", "a\n", false},
		{"a\n…", "a\nb\nc\n", true},
		{"…\nc", "a\nb\nc\n", true},
		{"…\nc", "a\nc\nb\n", false},
		{"…\nd", "a\nb\nc\n", false},
		{"took … ms", "took 12 ms", true},
		{"took … ms", "took 12 s", false},
		{"a.b", "axb", false},
		{"", "anything", true},
		{"request 7F3K-92QX is 7F3K-92QX", "request ABCD-1234 is ABCD-1234", true},
	} {
		err := Names{}.whole(strings.Split(c.shown, "\n"), c.printed)
		if (err == nil) != c.same {
			t.Errorf("%q shown, %q printed: %v", c.shown, c.printed, err)
		}
	}
}

func TestMadeUpNamesStandForRealOnes(t *testing.T) {
	n := Names{}
	if _, err := n.real("approve 7F3K-92QX"); err == nil {
		t.Error("a name was used before anything printed it")
	}
	if err := n.whole([]string{"held as 7F3K-92QX in 0k2m4p6r8t0v2x4z6b"}, "held as ABCD-1234 in 06gzzf4456vyyh3j9m"); err != nil {
		t.Fatal(err)
	}
	got, err := n.real("approve 7F3K-92QX; replay 0k2m4p6r8t0v2x4z6b")
	if want := "approve ABCD-1234; replay 06gzzf4456vyyh3j9m"; err != nil || got != want {
		t.Errorf("real = %q, %v, want %q", got, err, want)
	}
	if err := n.whole([]string{"held as 7F3K-92QX"}, "held as WXYZ-9876"); err == nil {
		t.Error("another request passed for the one that was shown before")
	}
}
