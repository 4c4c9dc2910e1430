package bypass

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Way is how the suite reaches the two worlds.
type Way struct {
	// Straight says that nothing stands between the suite and PostgreSQL: every attack must succeed.
	Straight bool
	// Connect signs in to a world; super asks for a superuser, which only a straight way has. Settings are run-time
	// parameters of the startup message. An error is the refusal of a server or gateway, when it is a *pgconn.PgError.
	Connect func(ctx context.Context, world int, super bool, settings map[string]string) (*pgconn.PgConn, error)
}

// Run sends every attack of the catalogue and every generated one over the way, and judges what comes back.
func Run(t *testing.T, way Way) {
	t.Helper()
	j := &judge{way: way, detectors: [2]*detector{newDetector(secretsOf(0)), newDetector(secretsOf(1))}}
	t.Run("catalogue", func(t *testing.T) {
		defer j.close()
		for _, c := range Catalogue() {
			for _, a := range expand(c) {
				t.Run(fmt.Sprintf("%02d %s", c.Class, a.name), func(t *testing.T) { j.try(t, a, a.SQL != "" && !a.Super) })
			}
		}
	})
	t.Run("generated", func(t *testing.T) {
		defer j.close()
		for _, c := range Generate() {
			for _, a := range expand(c) {
				t.Run(a.name, func(t *testing.T) { j.try(t, a, true) })
			}
		}
	})
}

// An attack is a case with the steps of one carrier.
type attack struct {
	Case
	name  string
	steps []Step
}

func expand(c Case) []attack {
	if c.SQL == "" {
		return []attack{{c, c.Name, c.Steps}}
	}
	var attacks []attack
	for i, carrier := range carriers {
		if len(c.Only) > 0 && !slices.Contains(c.Only, carrier.name) {
			continue
		}
		a := attack{c, c.Name + " by " + carrier.name, nil}
		if strings.HasPrefix(c.Name, "generated") {
			a.name = c.Name
		}
		if a.Through == Masked && !carrier.whole {
			a.Through = Harmless
		}
		name := fmt.Sprintf("attack_%x_%d", hash(c.Name), i)
		a.steps = carrier.steps(c.SQL, name)
		attacks = append(attacks, a)
	}
	return attacks
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// judge sends attacks and decides what they show.
type judge struct {
	way       Way
	detectors [2]*detector
	kept      [2]*session // for statements that leave nothing behind but a name
}

func (j *judge) close() {
	for i, s := range j.kept {
		if s != nil {
			s.close()
			j.kept[i] = nil
		}
	}
}

// an answer is all that came back of one attack in one world.
type answer struct {
	essence string
	found   []string
	errors  []string
	rows    int
	closed  bool
}

func (j *judge) try(t *testing.T, a attack, keep bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var answers [2]answer
	for world := range answers {
		var err error
		if answers[world], err = j.send(ctx, world, a, keep); err != nil {
			t.Fatalf("world %d: %v", world, err)
		}
		if j.way.Straight && len(answers[world].found) > 0 {
			return // one world is proof enough
		}
	}
	differs := answers[0].essence != answers[1].essence
	if j.way.Straight {
		if a.Proof == Leaks && !differs {
			t.Errorf("this is no attack: PostgreSQL itself shows nothing\n%s", answers[0].essence)
		}
		return
	}
	for world, got := range answers {
		if len(got.found) > 0 {
			t.Errorf("world %d: the client got the %s\n%s", world, strings.Join(got.found, ", the "), got.essence)
		}
		switch {
		case a.Through == Refused && len(got.errors) == 0 && !got.closed:
			t.Errorf("world %d: not refused\n%s", world, got.essence)
		case a.Through == Masked && (len(got.errors) > 0 || got.closed || got.rows == 0):
			t.Errorf("world %d: what may be read with its masks is not answered\n%s", world, got.essence)
		}
	}
	if differs && a.Differs == "" {
		t.Errorf("the answer depends on the secrets; world 0:\n%s\nworld 1:\n%s", answers[0].essence, answers[1].essence)
	}
}

// send sends an attack in one world. An error is a fault of the suite or of what it talks to, no verdict.
func (j *judge) send(ctx context.Context, world int, a attack, keep bool) (answer, error) {
	s := j.kept[world]
	if s == nil || !keep {
		conn, err := j.way.Connect(ctx, world, a.Super && j.way.Straight, maps.Clone(a.Settings))
		if err != nil {
			return j.refusedAtOnce(world, a, err)
		}
		if s, err = open(conn); err != nil {
			return answer{}, err
		}
	}
	j.kept[world] = nil
	var got answer
	status := byte('I')
	var before reply
	for _, step := range a.steps {
		if step.Next != nil {
			values, _ := before.cells()
			step.Send = step.Next(string(values))
		}
		r, err := s.do(ctx, step)
		if err != nil {
			s.close()
			return got, err
		}
		before = r
		j.add(&got, world, r)
		if got.closed = r.closed; r.closed {
			break
		}
		if n := len(r.messages); n > 0 && len(r.messages[n-1].body) == 1 {
			status = r.messages[n-1].body[0]
		}
	}
	if keep && !got.closed && status == 'I' {
		j.kept[world] = s
	} else {
		s.close()
	}
	return got, nil
}

// add judges a reply as it came, its values without what is between them, and each column's.
func (j *judge) add(got *answer, world int, r reply) {
	got.essence += r.essence()
	got.errors = append(got.errors, r.errors()...)
	got.rows += r.rows()
	all, columns := r.cells()
	for _, text := range append([][]byte{r.raw, all}, columns...) {
		for _, what := range j.detectors[world].find(text) {
			if !slices.Contains(got.found, what) {
				got.found = append(got.found, what)
			}
		}
	}
}

func (j *judge) refusedAtOnce(world int, a attack, err error) (answer, error) {
	if len(a.Settings) == 0 {
		return answer{}, err
	}
	return answer{essence: "refused at sign-in\n", errors: []string{"sign-in"}, closed: true, found: j.detectors[world].find([]byte(err.Error()))}, nil
}
